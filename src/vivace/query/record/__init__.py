"""Access logs -> plans: what users really asked, over which windows, and when."""
