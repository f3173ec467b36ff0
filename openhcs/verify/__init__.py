"""Static rules for asyncio and prompt_toolkit programs."""
