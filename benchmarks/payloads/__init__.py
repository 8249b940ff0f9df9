"""JSON payloads: the engine beside its peers, ValidatePayload beside a call that judges nothing, JSON Lines."""
