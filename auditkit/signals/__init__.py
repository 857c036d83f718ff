"""What models answered, as arrays: logits, margins, arms. No model and no torch from here on."""
