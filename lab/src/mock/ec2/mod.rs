//! EC2's Query protocol (and STS's and IAM's) over the model.
