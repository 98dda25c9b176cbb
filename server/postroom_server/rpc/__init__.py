"""The gRPC face: servicers, the layers around them, and two transports that share both."""
