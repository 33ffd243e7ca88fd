"""HTTP for machines: REST v1, the drop-in FaceID endpoints, health; all errors as JSON."""
