//! `aws-provider-executor`: the node-side program that makes the EC2 calls.
