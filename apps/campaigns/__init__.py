"""Campaign, CampaignRun, schedule and planner."""
