"""Google's push service: the FCM HTTP v1 API with a service account."""
