"""What `fit` leaves behind: versioned, checksummed, published atomically."""
