//! The requests of the mutations that the harness makes itself, each in one place: what a rehearsal
//! asks about is exactly what is sent later.

use aws_sdk_ec2::Client;
use aws_sdk_ec2::operation::delete_volume::builders::DeleteVolumeFluentBuilder;
use aws_sdk_ec2::operation::disassociate_address::builders::DisassociateAddressFluentBuilder;
use aws_sdk_ec2::operation::release_address::builders::ReleaseAddressFluentBuilder;
use aws_sdk_ec2::operation::start_instances::builders::StartInstancesFluentBuilder;
use aws_sdk_ec2::operation::stop_instances::builders::StopInstancesFluentBuilder;
use aws_sdk_ec2::operation::terminate_instances::builders::TerminateInstancesFluentBuilder;

pub(crate) fn make_start(ec2: &Client, instance_id: &str) -> StartInstancesFluentBuilder {
    ec2.start_instances().instance_ids(instance_id)
}

pub(crate) fn make_stop(ec2: &Client, instance_id: &str) -> StopInstancesFluentBuilder {
    ec2.stop_instances().instance_ids(instance_id)
}

pub(crate) fn make_termination(ec2: &Client, instance_id: &str) -> TerminateInstancesFluentBuilder {
    ec2.terminate_instances().instance_ids(instance_id)
}

pub(crate) fn make_release(ec2: &Client, allocation_id: &str) -> ReleaseAddressFluentBuilder {
    ec2.release_address().allocation_id(allocation_id)
}

pub(crate) fn make_disassociation(
    ec2: &Client,
    association_id: &str,
) -> DisassociateAddressFluentBuilder {
    ec2.disassociate_address().association_id(association_id)
}

pub(crate) fn make_deletion(ec2: &Client, volume_id: &str) -> DeleteVolumeFluentBuilder {
    ec2.delete_volume().volume_id(volume_id)
}
