"""The data plane: an OpenAI-compatible gateway that meters every call."""
