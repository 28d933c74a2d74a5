"""Many at once, and many after each other: two taps on one budget, a day of hourly runs."""
