"""The gRPC face: it translates between the contract and the domain, and holds no logic of its own."""
