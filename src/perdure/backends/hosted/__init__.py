"""What the drivers of web APIs share."""
