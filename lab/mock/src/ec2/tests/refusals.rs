//! The refusals of AWS, by operation: one line each.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::ExampleLab;
use super::script::{Script, find_element};

const TABLE: &[&str] = &[
    // Ranges.
    "CreateVpc CidrBlock=10.0.0.0/8 ! InvalidVpc.Range",
    "CreateVpc CidrBlock=10.0.0.0/29 ! InvalidVpc.Range",
    "CreateVpc CidrBlock=10.0.0 ! InvalidParameterValue",
    "CreateVpc ! MissingParameter",
    "CreateVpc CidrBlock=10.9.0.0/16 TagSpecification.1.ResourceType=subnet TagSpecification.1.Tag.1.Key=a ! InvalidParameterValue",
    "CreateVpc CidrBlock=10.9.0.0/16 TagSpecification.1.ResourceType=vpc TagSpecification.1.Tag.1.Key=aws:a ! InvalidParameterValue",
    "CreateVpc CidrBlock=10.9.0.0/16 AmazonProvidedIpv6CidrBlock=true ! UnknownParameter",
    "ModifyVpcAttribute VpcId=$lab_vpc ! InvalidParameterCombination",
    "ModifyVpcAttribute VpcId=$lab_vpc EnableDnsSupport.Value=true EnableDnsHostnames.Value=true ! InvalidParameterCombination",
    "CreateSubnet VpcId=$lab_vpc CidrBlock=10.88.60.128/25 ! InvalidSubnet.Conflict",
    "CreateSubnet VpcId=$lab_vpc CidrBlock=10.89.0.0/24 ! InvalidSubnet.Range",
    "CreateSubnet VpcId=$lab_vpc CidrBlock=10.88.1.0/24 AvailabilityZone=us-east-1a ! InvalidParameterValue",
    "CreateSubnet VpcId=vpc-0123456789abcdef0 CidrBlock=10.88.1.0/24 ! InvalidVpcID.NotFound",
    // Gateways and tables.
    "AttachInternetGateway InternetGatewayId=igw-0123456789abcdef0 VpcId=$lab_vpc ! InvalidInternetGatewayID.NotFound",
    "CreateInternetGateway => igw=internetGatewayId",
    "AttachInternetGateway InternetGatewayId=$igw VpcId=$lab_vpc ! InvalidParameterValue",
    "DetachInternetGateway InternetGatewayId=$igw VpcId=$lab_vpc ! Gateway.NotAttached",
    "CreateRouteTable VpcId=$lab_vpc => table=routeTableId",
    "CreateRoute RouteTableId=$table DestinationCidrBlock=0.0.0.0/0 GatewayId=$igw ! InvalidParameterValue",
    "CreateRoute RouteTableId=$table DestinationCidrBlock=0.0.0.0/0 GatewayId=igw-0123456789abcdef0 ! InvalidGatewayID.NotFound",
    "AssociateRouteTable RouteTableId=$table SubnetId=$lab_subnet => assoc=associationId",
    "AssociateRouteTable RouteTableId=$table SubnetId=$lab_subnet",
    "CreateRouteTable VpcId=$lab_vpc => other_table=routeTableId",
    "AssociateRouteTable RouteTableId=$other_table SubnetId=$lab_subnet ! Resource.AlreadyAssociated",
    "ReplaceRouteTableAssociation AssociationId=$assoc RouteTableId=$other_table => assoc=newAssociationId",
    "DeleteRouteTable RouteTableId=$table",
    "CreateRouteTable VpcId=$default_vpc => foreign_table=routeTableId",
    "ReplaceRouteTableAssociation AssociationId=$assoc RouteTableId=$foreign_table ! InvalidParameterValue",
    "DisassociateRouteTable AssociationId=rtbassoc-0123456789abcdef0 ! InvalidAssociationID.NotFound",
    // Groups.
    "CreateSecurityGroup GroupName=smoke-lab GroupDescription=d VpcId=$lab_vpc ! InvalidGroup.Duplicate",
    "CreateSecurityGroup GroupName=default GroupDescription=d VpcId=$lab_vpc ! InvalidParameterValue",
    "CreateSecurityGroup GroupName=sg-1 GroupDescription=d VpcId=$lab_vpc ! InvalidParameterValue",
    "AuthorizeSecurityGroupIngress GroupId=$lab_group IpProtocol=tcp FromPort=22 ToPort=22 CidrIp=0.0.0.0/0 ! InvalidPermission.Duplicate",
    "AuthorizeSecurityGroupIngress GroupId=$lab_group IpProtocol=tcp FromPort=99999 ToPort=99999 CidrIp=0.0.0.0/0 ! InvalidParameterValue",
    "AuthorizeSecurityGroupIngress GroupId=$lab_group IpProtocol=carrier FromPort=1 ToPort=1 CidrIp=0.0.0.0/0 ! InvalidParameterValue",
    "AuthorizeSecurityGroupEgress GroupId=$lab_group IpPermissions.1.IpProtocol=-1 ! InvalidParameterValue",
    "RevokeSecurityGroupIngress GroupId=$lab_group IpProtocol=tcp FromPort=80 ToPort=80 CidrIp=0.0.0.0/0 ! InvalidPermission.NotFound",
    "RevokeSecurityGroupIngress GroupId=$lab_group SecurityGroupRuleId.1=sgr-0123456789abcdef0 ! InvalidSecurityGroupRuleId.NotFound",
    "DescribeSecurityGroups Filter.1.Name=group-name Filter.1.Value.1=default Filter.2.Name=vpc-id Filter.2.Value.1=$lab_vpc => default_group=groupId",
    "DeleteSecurityGroup GroupId=$default_group ! CannotDelete",
    // Network ACLs.
    "DescribeNetworkAcls Filter.1.Name=vpc-id Filter.1.Value.1=$lab_vpc => acl=networkAclId aclassoc=networkAclAssociationId",
    "DeleteNetworkAcl NetworkAclId=$acl ! InvalidParameterValue",
    "CreateNetworkAclEntry NetworkAclId=$acl RuleNumber=100 Protocol=-1 RuleAction=allow Egress=true CidrBlock=0.0.0.0/0 ! NetworkAclEntryAlreadyExists",
    "CreateNetworkAclEntry NetworkAclId=$acl RuleNumber=32767 Protocol=-1 RuleAction=allow Egress=true CidrBlock=0.0.0.0/0 ! InvalidParameterValue",
    "CreateNetworkAclEntry NetworkAclId=$acl RuleNumber=7 Protocol=6 RuleAction=allow Egress=true CidrBlock=0.0.0.0/0 ! MissingParameter",
    "CreateNetworkAclEntry NetworkAclId=$acl RuleNumber=7 Protocol=tcp PortRange.From=22 PortRange.To=65536 RuleAction=allow Egress=true CidrBlock=0.0.0.0/0 ! InvalidParameterValue",
    "CreateNetworkAclEntry NetworkAclId=$acl RuleNumber=7 Protocol=udp PortRange.From=23 PortRange.To=22 RuleAction=allow Egress=true CidrBlock=0.0.0.0/0 ! InvalidParameterValue",
    "DeleteNetworkAclEntry NetworkAclId=$acl RuleNumber=8 Egress=true ! InvalidNetworkAclEntry.NotFound",
    "CreateNetworkAcl VpcId=$lab_vpc => own_acl=networkAclId",
    "ReplaceNetworkAclAssociation AssociationId=$aclassoc NetworkAclId=$own_acl => aclassoc=newAssociationId",
    "DeleteNetworkAcl NetworkAclId=$own_acl ! DependencyViolation",
    "CreateNetworkAcl VpcId=$default_vpc => foreign_acl=networkAclId",
    "ReplaceNetworkAclAssociation AssociationId=$aclassoc NetworkAclId=$foreign_acl ! InvalidParameterValue",
    // Keys.
    "CreateKeyPair KeyName=smoke-lab KeyType=ed25519 ! InvalidKeyPair.Duplicate",
    "CreateKeyPair KeyName=k KeyType=dsa ! InvalidParameterValue",
    "CreateKeyPair KeyName=k ! UnsupportedOperation",
    "ImportKeyPair KeyName=k PublicKeyMaterial=bm90IGEga2V5 ! InvalidKey.Format",
    "DescribeKeyPairs KeyName.1=none ! InvalidKeyPair.NotFound",
    // Launches.
    "RunInstances ImageId=ami-0123456789abcdef0 InstanceType=t3.small MinCount=1 MaxCount=1 SubnetId=$lab_subnet ! InvalidAMIID.NotFound",
    "RunInstances ImageId=$ami InstanceType=t9.huge MinCount=1 MaxCount=1 SubnetId=$lab_subnet ! InvalidParameterValue",
    "RunInstances ImageId=$arm_ami InstanceType=t3.small MinCount=1 MaxCount=1 SubnetId=$lab_subnet ! InvalidParameterValue",
    "RunInstances ImageId=$ami InstanceType=t3.small MinCount=2 MaxCount=1 SubnetId=$lab_subnet ! InvalidParameterValue",
    "RunInstances ImageId=$ami InstanceType=t3.small MinCount=1 MaxCount=1 SubnetId=$lab_subnet KeyName=none ! InvalidKeyPair.NotFound",
    "RunInstances ImageId=$ami InstanceType=t3.small MinCount=1 MaxCount=1 SubnetId=$lab_subnet IamInstanceProfile.Name=none ! InvalidParameterValue",
    "RunInstances ImageId=$ami InstanceType=t3.small MinCount=1 MaxCount=1 SubnetId=$lab_subnet SecurityGroupId.1=sg-0123456789abcdef0 ! InvalidGroup.NotFound",
    "RunInstances ImageId=$ami InstanceType=t3.small MinCount=1 MaxCount=1 SubnetId=$lab_subnet PrivateIpAddress=10.88.60.7 ! InvalidIPAddress.InUse",
    "RunInstances ImageId=$ami InstanceType=t3.small MinCount=1 MaxCount=1 SubnetId=$lab_subnet PrivateIpAddress=10.88.61.7 ! InvalidParameterValue",
    "RunInstances ImageId=$ami InstanceType=t3.small MinCount=2 MaxCount=2 SubnetId=$lab_subnet PrivateIpAddress=10.88.60.70 ! InvalidParameterCombination",
    "RunInstances ImageId=$ami InstanceType=t3.small MinCount=1 MaxCount=1 SubnetId=$lab_subnet NetworkInterface.1.DeviceIndex=0 NetworkInterface.1.SubnetId=$lab_subnet ! InvalidParameterCombination",
    "RunInstances ImageId=$ami InstanceType=t3.small MinCount=1 MaxCount=1 NetworkInterface.1.DeviceIndex=0 NetworkInterface.1.NetworkInterfaceId=$lab_eni ! InvalidNetworkInterface.InUse",
    "RunInstances ImageId=$ami InstanceType=t3.micro MinCount=1 MaxCount=1 NetworkInterface.1.DeviceIndex=0 NetworkInterface.1.SubnetId=$lab_subnet NetworkInterface.1.SecondaryPrivateIpAddressCount=2 ! InvalidInterface.IpAddressLimitExceeded",
    "RunInstances ImageId=$ami InstanceType=t3.small MinCount=1 MaxCount=1 SubnetId=$lab_subnet BlockDeviceMapping.1.DeviceName=/dev/xvda BlockDeviceMapping.1.Ebs.VolumeSize=4 ! InvalidBlockDeviceMapping",
    "RunInstances ImageId=$ami InstanceType=t3.small MinCount=1 MaxCount=1 ! MissingInput",
    // Interfaces.
    "CreateNetworkInterface SubnetId=$lab_subnet PrivateIpAddress=10.88.60.3 ! InvalidParameterValue",
    "CreateNetworkInterface SubnetId=$lab_subnet PrivateIpAddress=10.88.60.4 ! InvalidIPAddress.InUse",
    "CreateNetworkInterface SubnetId=$lab_subnet => eni=networkInterfaceId",
    "AttachNetworkInterface NetworkInterfaceId=$lab_eni InstanceId=$lab_instance DeviceIndex=1 ! InvalidNetworkInterface.InUse",
    "AttachNetworkInterface NetworkInterfaceId=$eni InstanceId=$lab_instance DeviceIndex=0 ! InvalidParameterValue",
    "DescribeNetworkInterfaces NetworkInterfaceId.1=$lab_eni => attachment=attachmentId",
    "DetachNetworkInterface AttachmentId=$attachment ! OperationNotPermitted",
    "DetachNetworkInterface AttachmentId=eni-attach-0123456789abcdef0 ! InvalidAttachmentID.NotFound",
    "DescribeNetworkInterfaceAttribute NetworkInterfaceId=$eni Attribute=colour ! InvalidParameterValue",
    // Volumes.
    "CreateVolume AvailabilityZone=nowhere Size=1 ! InvalidZone.NotFound",
    "CreateVolume AvailabilityZone=ap-northeast-1a ! MissingParameter",
    "CreateVolume AvailabilityZone=ap-northeast-1c Size=1 => volume=volumeId",
    "AttachVolume VolumeId=$volume InstanceId=$lab_instance Device=/dev/sdf ! InvalidVolume.ZoneMismatch",
    "DetachVolume VolumeId=$volume ! IncorrectState",
    "CreateVolume AvailabilityZone=ap-northeast-1a Size=1 => near=volumeId",
    "AttachVolume VolumeId=$near InstanceId=$lab_instance Device=/dev/xvda ! InvalidParameterValue",
    "AttachVolume VolumeId=$near InstanceId=$lab_instance Device=/dev/sdf",
    "AttachVolume VolumeId=$near InstanceId=$lab_instance Device=/dev/sdg ! VolumeInUse",
    // Addresses.
    "AllocateAddress Domain=standard ! InvalidParameterValue",
    "AssociateAddress AllocationId=$lab_eip NetworkInterfaceId=$eni AllowReassociation=false ! Resource.AlreadyAssociated",
    "AssociateAddress AllocationId=$lab_eip NetworkInterfaceId=$eni PrivateIpAddress=10.88.60.4 ! InvalidParameterValue",
    "AssociateAddress AllocationId=$lab_eip NetworkInterfaceId=$eni",
    "AssociateAddress AllocationId=$lab_eip ! MissingParameter",
    // Instances.
    "ModifyInstanceAttribute InstanceId=$lab_instance DisableApiTermination.Value=true",
    "TerminateInstances InstanceId.1=$lab_instance ! OperationNotPermitted",
    "ModifyInstanceAttribute InstanceId=$lab_instance DisableApiTermination.Value=false",
    "ModifyInstanceAttribute InstanceId=$lab_instance DisableApiStop.Value=true",
    "StopInstances InstanceId.1=$lab_instance ! OperationNotPermitted",
    "TerminateInstances InstanceId.1=$lab_instance ! OperationNotPermitted",
    "DescribeInstanceAttribute InstanceId=$lab_instance Attribute=kernel ! InvalidParameterValue",
    // Tags and zones.
    "CreateTags ResourceId.1=$lab_vpc ! MissingParameter",
    "CreateTags Tag.1.Key=a Tag.1.Value=b ! MissingParameter",
    "CreateTags ResourceId.1=odd Tag.1.Key=a Tag.1.Value=b ! InvalidID",
    "CreateTags ResourceId.1=vpc-0123456789abcdef0 Tag.1.Key=a Tag.1.Value=b ! InvalidVpcID.NotFound",
    "DescribeAvailabilityZones ZoneName.1=us-east-1a ! InvalidParameterValue",
    "DescribeRegions RegionName.1=nowhere ! InvalidParameterValue",
    "DescribeImages ImageId.1=ami-0123456789abcdef0 ! InvalidAMIID.NotFound",
    "DescribeImages MaxResults=2000 ! InvalidParameterValue",
    "DescribeVpcs MaxResults=4 ! InvalidParameterValue",
    "DescribeSubnets SubnetId.1=$lab_subnet MaxResults=5 ! InvalidParameterCombination",
];

#[tokio::test(start_paused = true)]
async fn each_is_refused_with_its_code() {
    let lab = ExampleLab::new();
    Script::new(&lab).run(TABLE).await;
}

/// AWS names the parameter by the word of its own model.
#[tokio::test(start_paused = true)]
async fn create_tags_says_what_it_lacks_in_awss_words() {
    let lab = ExampleLab::new();
    let mut script = Script::new(&lab);
    let text = script.line("CreateTags Tag.1.Key=a Tag.1.Value=b ! MissingParameter").await;
    let said = find_element(&text, "Message");
    assert_eq!(said.as_deref(), Some("The request must contain the parameter resourceIdSet"));
}

#[tokio::test(start_paused = true)]
async fn a_client_token_makes_one_of_two() {
    let lab = ExampleLab::new();
    let mut script = Script::new(&lab);
    let run = "RunInstances ImageId=$ami InstanceType=t3.small MinCount=1 MaxCount=1 SubnetId=$lab_subnet ClientToken=once";
    let first = script.line(run).await;
    let made = lab.cloud().instances.len();
    let second = script.line(run).await;
    assert_eq!(find_element(&first, "instanceId"), find_element(&second, "instanceId"));
    assert_eq!(lab.cloud().instances.len(), made);
    let other = run.replace("t3.small", "t3.micro");
    script.line(&format!("{other} ! IdempotentParameterMismatch")).await;
    script.line(&run.replace("once", "twice")).await;
    assert_eq!(lab.cloud().instances.len(), made + 1);
}

#[tokio::test(start_paused = true)]
async fn tags_are_given_changed_and_taken_away() {
    let lab = ExampleLab::new();
    let mut script = Script::new(&lab);
    let keys = || lab.cloud().vpcs[&lab.cloud().interface(&lab.eni).unwrap().vpc_id].tags.clone();
    let before = keys();
    script
        .run(&[
            "CreateTags ResourceId.1=$lab_vpc Tag.1.Key=a Tag.1.Value=1 Tag.2.Key=b Tag.2.Value=2",
            "CreateTags ResourceId.1=$lab_vpc Tag.1.Key=a Tag.1.Value=3",
            "DeleteTags ResourceId.1=$lab_vpc Tag.1.Key=b Tag.1.Value=9",
        ])
        .await;
    assert_eq!((keys()["a"].as_str(), keys()["b"].as_str()), ("3", "2"));
    script.line("DeleteTags ResourceId.1=$lab_vpc Tag.1.Key=a Tag.2.Key=b Tag.2.Value=2").await;
    assert_eq!(keys(), before);
    script.line("DeleteTags ResourceId.1=$lab_vpc").await;
    assert!(keys().is_empty());
}

#[tokio::test(start_paused = true)]
async fn an_imported_key_has_the_fingerprint_that_ssh_keygen_shows() {
    let lab = ExampleLab::new();
    let mut script = Script::new(&lab);
    let text = script.line("CreateKeyPair KeyName=one KeyType=ed25519").await;
    let material = find_element(&text, "keyMaterial").unwrap();
    let key = ssh_key::PrivateKey::from_openssh(material).unwrap();
    let shown = key.public_key().fingerprint(ssh_key::HashAlg::Sha256).to_string();
    let fingerprint = find_element(&text, "keyFingerprint").unwrap();
    assert_eq!(format!("SHA256:{}", fingerprint.trim_end_matches('=')), shown);
    let public = key.public_key().to_openssh().unwrap();
    let blob = STANDARD.encode(public);
    let text = script.line(&format!("ImportKeyPair KeyName=two PublicKeyMaterial={blob}")).await;
    assert_eq!(find_element(&text, "keyFingerprint").unwrap(), fingerprint);
}
