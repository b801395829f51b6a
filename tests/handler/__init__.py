"""Programs as tenants write them, called as a sandbox calls them."""
