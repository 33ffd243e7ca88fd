"""The vendor's side of the contract, over real HTTP, for development and tests."""
