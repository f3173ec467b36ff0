"""An application in which one faulty part stays one fault, driven by keys and looked at as its user sees it."""
