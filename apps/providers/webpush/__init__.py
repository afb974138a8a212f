"""Web Push: RFC 8030 with RFC 8291 encryption and RFC 8292 keys. Serves browsers and UnifiedPush alike."""
