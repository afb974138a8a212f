"""Payment processors that come with the product. Each module is imported only where it is configured."""
