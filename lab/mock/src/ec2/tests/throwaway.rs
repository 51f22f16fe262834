//! A throwaway lab, made and unmade as Terraform would: all of it, described, in the wrong order,
//! in the right order, and then nothing is left.

use std::time::Duration;

use super::ExampleLab;
use super::script::{Script, find_element};

const CREATE: &[&str] = &[
    "CreateVpc CidrBlock=10.99.0.0/16 TagSpecification.1.ResourceType=vpc TagSpecification.1.Tag.1.Key=Name TagSpecification.1.Tag.1.Value=throwaway => vpc=vpcId",
    "ModifyVpcAttribute VpcId=$vpc EnableDnsHostnames.Value=true",
    "CreateSubnet VpcId=$vpc CidrBlock=10.99.1.0/24 AvailabilityZone=ap-northeast-1a => subnet=subnetId",
    "CreateSubnet VpcId=$vpc CidrBlock=10.99.2.0/24 AvailabilityZone=ap-northeast-1c => other_subnet=subnetId",
    "ModifySubnetAttribute SubnetId=$subnet MapPublicIpOnLaunch.Value=false",
    "CreateInternetGateway => igw=internetGatewayId",
    "AttachInternetGateway InternetGatewayId=$igw VpcId=$vpc",
    "CreateRouteTable VpcId=$vpc => table=routeTableId",
    "CreateRoute RouteTableId=$table DestinationCidrBlock=0.0.0.0/0 GatewayId=$igw",
    "AssociateRouteTable RouteTableId=$table SubnetId=$subnet => assoc=associationId",
    "CreateSecurityGroup GroupName=nodes GroupDescription=nodes VpcId=$vpc => group=groupId",
    "CreateSecurityGroup GroupName=clients GroupDescription=clients VpcId=$vpc => clients=groupId",
    "AuthorizeSecurityGroupIngress GroupId=$group IpPermissions.1.IpProtocol=tcp IpPermissions.1.FromPort=22 IpPermissions.1.ToPort=22 IpPermissions.1.IpRanges.1.CidrIp=0.0.0.0/0 IpPermissions.1.IpRanges.1.Description=ssh => rule=securityGroupRuleId",
    "AuthorizeSecurityGroupIngress GroupId=$group IpPermissions.1.IpProtocol=-1 IpPermissions.1.Groups.1.GroupId=$clients",
    "CreateNetworkAcl VpcId=$vpc => acl=networkAclId",
    "CreateNetworkAclEntry NetworkAclId=$acl RuleNumber=100 Protocol=-1 RuleAction=allow Egress=false CidrBlock=0.0.0.0/0",
    "CreateKeyPair KeyName=throwaway KeyType=ed25519 => key=keyPairId material=keyMaterial",
    "RunInstances ImageId=$ami InstanceType=t3.small MinCount=1 MaxCount=1 KeyName=throwaway SubnetId=$subnet SecurityGroupId.1=$group PrivateIpAddress=10.99.1.10 IamInstanceProfile.Name=lab-smoke-executor BlockDeviceMapping.1.DeviceName=/dev/sdf BlockDeviceMapping.1.Ebs.VolumeSize=20 BlockDeviceMapping.1.Ebs.DeleteOnTermination=false TagSpecification.1.ResourceType=instance TagSpecification.1.Tag.1.Key=Name TagSpecification.1.Tag.1.Value=one => instance=instanceId primary=networkInterfaceId",
    "CreateNetworkInterface SubnetId=$subnet SecurityGroupId.1=$group PrivateIpAddress=10.99.1.20 Description=second => eni=networkInterfaceId",
    "CreateVolume AvailabilityZone=ap-northeast-1a Size=10 VolumeType=gp3 => volume=volumeId",
    "AllocateAddress Domain=vpc => eip=allocationId",
    "AssociateAddress AllocationId=$eip NetworkInterfaceId=$primary => eipassoc=associationId",
    "CreateTags ResourceId.1=$subnet ResourceId.2=$igw ResourceId.3=$volume Tag.1.Key=owner Tag.1.Value=tests",
];

/// After the instance runs.
const ATTACH: &[&str] = &[
    "AttachNetworkInterface NetworkInterfaceId=$eni InstanceId=$instance DeviceIndex=1 => attachment=attachmentId",
    "AttachVolume VolumeId=$volume InstanceId=$instance Device=/dev/sdg",
];

const DESCRIBE: &[(&str, &str)] = &[
    ("DescribeVpcs VpcId.1=$vpc", "<cidrBlock>10.99.0.0/16</cidrBlock>"),
    ("DescribeVpcAttribute VpcId=$vpc Attribute=enableDnsHostnames", "<value>true</value>"),
    ("DescribeSubnets Filter.1.Name=vpc-id Filter.1.Value.1=$vpc", "10.99.2.0/24"),
    ("DescribeInternetGateways InternetGatewayId.1=$igw", "<state>available</state>"),
    ("DescribeRouteTables RouteTableId.1=$table", "<state>active</state>"),
    ("DescribeSecurityGroups GroupId.1=$group", "<description>ssh</description>"),
    ("DescribeSecurityGroupRules SecurityGroupRuleId.1=$rule", "<cidrIpv4>0.0.0.0/0</cidrIpv4>"),
    ("DescribeNetworkAcls NetworkAclId.1=$acl", "<ruleNumber>32767</ruleNumber>"),
    ("DescribeKeyPairs KeyName.1=throwaway IncludePublicKey=true", "<publicKey>ssh-ed25519 "),
    ("DescribeInstances InstanceId.1=$instance", "<deviceName>/dev/sdf</deviceName>"),
    ("DescribeInstanceStatus InstanceId.1=$instance", "<status>initializing</status>"),
    ("DescribeInstanceAttribute InstanceId=$instance Attribute=groupSet", "nodes"),
    ("GetConsoleOutput InstanceId=$instance", "<output>"),
    ("DescribeNetworkInterfaces NetworkInterfaceId.1=$eni", "<deviceIndex>1</deviceIndex>"),
    (
        "DescribeNetworkInterfaceAttribute NetworkInterfaceId=$eni Attribute=description",
        "<value>second</value>",
    ),
    ("DescribeVolumes VolumeId.1=$volume", "/dev/sdg"),
    ("DescribeAddresses AllocationId.1=$eip", "10.99.1.10"),
    ("DescribeTags Filter.1.Name=key Filter.1.Value.1=owner", "internet-gateway"),
];

const WRONG_ORDER: &[&str] = &[
    "DeleteVpc VpcId=$vpc ! DependencyViolation",
    "DeleteSubnet SubnetId=$subnet ! DependencyViolation",
    "DeleteInternetGateway InternetGatewayId=$igw ! DependencyViolation",
    "DetachInternetGateway InternetGatewayId=$igw VpcId=$vpc ! DependencyViolation",
    "DeleteRouteTable RouteTableId=$table ! DependencyViolation",
    "DeleteSecurityGroup GroupId=$group ! DependencyViolation",
    "DeleteSecurityGroup GroupId=$clients ! DependencyViolation",
    "DeleteNetworkInterface NetworkInterfaceId=$eni ! InvalidParameterValue",
    "DeleteVolume VolumeId=$volume ! VolumeInUse",
    "ReleaseAddress AllocationId=$eip ! InvalidIPAddress.InUse",
];

const RIGHT_ORDER: &[&str] = &[
    "DisassociateAddress AssociationId=$eipassoc",
    "ReleaseAddress AllocationId=$eip",
    "DetachVolume VolumeId=$volume",
    "DeleteVolume VolumeId=$volume",
    "DetachNetworkInterface AttachmentId=$attachment",
    "DeleteNetworkInterface NetworkInterfaceId=$eni",
    "TerminateInstances InstanceId.1=$instance",
];

/// After the instance has terminated.
const AFTERWARDS: &[&str] = &[
    "RevokeSecurityGroupIngress GroupId=$group SecurityGroupRuleId.1=$rule",
    "DeleteSecurityGroup GroupId=$group",
    "DeleteSecurityGroup GroupId=$clients",
    "DeleteNetworkAclEntry NetworkAclId=$acl RuleNumber=100 Egress=false",
    "DeleteNetworkAcl NetworkAclId=$acl",
    "DisassociateRouteTable AssociationId=$assoc",
    "DeleteRouteTable RouteTableId=$table",
    "DetachInternetGateway InternetGatewayId=$igw VpcId=$vpc",
    "DeleteInternetGateway InternetGatewayId=$igw",
    "DeleteSubnet SubnetId=$subnet",
    "DeleteSubnet SubnetId=$other_subnet",
    "DeleteVpc VpcId=$vpc",
    "DeleteKeyPair KeyName=throwaway",
    "DeleteKeyPair KeyName=throwaway",
];

#[tokio::test(start_paused = true)]
async fn a_lab_is_made_described_and_unmade_in_its_order() {
    let lab = ExampleLab::new();
    let before = lab.cloud();
    let mut script = Script::new(&lab);
    script.run(CREATE).await;
    script
        .line("AttachVolume VolumeId=$volume InstanceId=$instance Device=/dev/sdg ! IncorrectState")
        .await;
    lab.clock.sleep(Duration::from_secs(10)).await;
    script.run(ATTACH).await;
    for (request, expected) in DESCRIBE {
        let text = script.line(request).await;
        assert!(text.contains(expected), "{request}: {text}");
    }
    assert!(script.names["material"].starts_with("-----BEGIN OPENSSH PRIVATE KEY-----"));
    let made = lab.cloud();
    script.run(WRONG_ORDER).await;
    assert_eq!(lab.cloud().subnets, made.subnets, "what is refused changes nothing");

    script.run(RIGHT_ORDER).await;
    lab.clock.sleep(Duration::from_secs(20)).await;
    let left = script.line("DescribeVolumes Filter.1.Name=size Filter.1.Value.1=20").await;
    let left = find_element(&left, "volumeId").expect("the data volume was to stay");
    script.names.insert("data".to_owned(), left);
    script.line("DeleteVolume VolumeId=$data").await;
    script.run(AFTERWARDS).await;
    script.line("DescribeVpcs VpcId.1=$vpc ! InvalidVpcID.NotFound").await;
    let mut after = lab.cloud();
    after.instances.retain(|id, _| before.instances.contains_key(id));
    after.made = before.made;
    after.previous.clone_from(&before.previous);
    assert_eq!(after, before, "nothing of it is left");
}

#[tokio::test(start_paused = true)]
async fn every_change_can_be_rehearsed() {
    let lab = ExampleLab::new();
    let mut script = Script::new(&lab);
    for line in CREATE {
        let (request, _) = line.split_once(" => ").unwrap_or((line, ""));
        let has_dry_run = !request.starts_with("ModifyVpc") && !request.starts_with("ModifySubnet");
        if has_dry_run {
            let before = lab.cloud();
            script.line(&format!("{request} DryRun=true ! DryRunOperation")).await;
            assert_eq!(lab.cloud(), before, "{request}");
        } else {
            script.line(&format!("{request} DryRun=true ! UnknownParameter")).await;
        }
        script.line(line).await;
    }
}

/// Asked of the subnet, or of the launch: it comes once the instance runs, and goes when an Elastic IP
/// address takes its place.
#[tokio::test(start_paused = true)]
async fn a_launch_gets_a_public_address_where_it_is_asked_for() {
    const RUN: &str = "RunInstances ImageId=$ami InstanceType=t3.small MinCount=1 MaxCount=1";
    const ASKS: &str = "NetworkInterface.1.AssociatePublicIpAddress";
    let card = |more: &str| {
        format!(
            "{RUN} NetworkInterface.1.DeviceIndex=0 NetworkInterface.1.SubnetId=$lab_subnet {more}"
        )
    };
    let table = [
        (format!("{RUN} SubnetId=$lab_subnet"), [false, true]),
        (card(""), [false, true]),
        (card(&format!("{ASKS}=true")), [true, true]),
        (card(&format!("{ASKS}=false")), [false, false]),
    ];
    for (run, expected) in table {
        for (maps, expected) in [false, true].into_iter().zip(expected) {
            let lab = ExampleLab::new();
            let mut script = Script::new(&lab);
            let modify = "ModifySubnetAttribute SubnetId=$lab_subnet MapPublicIpOnLaunch.Value=";
            script.line(&format!("{modify}{maps}")).await;
            let launched =
                script.line(&format!("{run} => instance=instanceId eni=networkInterfaceId")).await;
            assert_eq!(find_element(&launched, "ipAddress"), None, "it is pending");
            lab.clock.sleep(Duration::from_secs(10)).await;
            let shown = script.line("DescribeInstances InstanceId.1=$instance").await;
            assert_eq!(find_element(&shown, "ipAddress").is_some(), expected, "{run}, {maps}");
            let associate = "AssociateAddress AllocationId=$lab_eip NetworkInterfaceId=$eni";
            script.line(associate).await;
            let shown = script.line("DescribeInstances InstanceId.1=$instance").await;
            assert_eq!(find_element(&shown, "ipAddress").as_deref(), Some("203.0.113.10"));
        }
    }
    let lab = ExampleLab::new();
    let mut script = Script::new(&lab);
    let existing = format!(
        "{RUN} NetworkInterface.1.DeviceIndex=0 NetworkInterface.1.NetworkInterfaceId=$eni {ASKS}=true"
    );
    script.line("CreateNetworkInterface SubnetId=$lab_subnet => eni=networkInterfaceId").await;
    script.line(&format!("{existing} ! InvalidParameterCombination")).await;
    let second = "NetworkInterface.2.DeviceIndex=1 NetworkInterface.2.SubnetId=$lab_subnet";
    let two = card(&format!("{ASKS}=true {second}"));
    script.line(&format!("{two} ! InvalidParameterCombination")).await;
}
