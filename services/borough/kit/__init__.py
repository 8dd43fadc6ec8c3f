"""What every part needs and none owns. Knows contracts, never a capability's business."""
