"""Submit FaceID verify attempts, keep a lasting record of each, review and export them."""
