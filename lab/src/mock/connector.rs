//! The AWS SDK's HTTP client that ends in the world instead of a socket.
