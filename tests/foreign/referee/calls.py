"""The calls that both endpoints are asked: making, describing, breaking and unmaking a lab.

A call is (label, service, operation, parameters, captures). `$name` in a parameter is what an
earlier call captured (JMESPath). `_until` repeats a call, `_value` is what both must show alike.
A label says what is tried; the operation alone is a plain call.
"""

EC2, STS, IAM = "ec2", "sts", "iam"
CALLS = []


def call(operation, parameters=None, label=None, service=EC2, **captures):
    CALLS.append((label or operation, service, operation, parameters or {}, captures))


def refused(label, operation, parameters, service=EC2):
    call(operation, parameters, label=f"{operation}: {label}", service=service)


def filters(**wanted):
    return [{"Name": name.replace("_", "-"), "Values": [value]} for name, value in wanted.items()]


RANDOM = "0123456789abcdef0"

# What is there before.
call("DescribeAvailabilityZones", zone="AvailabilityZones[0].ZoneName")
call("DescribeRegions")
call("DescribeImages", {"Filters": filters(architecture="x86_64")}, ami="Images[0].ImageId")
call("DescribeInstanceTypes", {"InstanceTypes": ["t3.small"]})
refused("unknown image", "DescribeImages", {"ImageIds": [f"ami-{RANDOM}"]})
refused("unknown type", "DescribeInstanceTypes", {"InstanceTypes": ["t9.huge"]})
refused("unknown filter", "DescribeVpcs", {"Filters": filters(colour="blue")})
refused("page too small", "DescribeVpcs", {"MaxResults": 4})
refused("malformed id", "DescribeVpcs", {"VpcIds": ["odd"]})

# The network.
call("CreateVpc", {"CidrBlock": "10.99.0.0/16", "TagSpecifications": [
    {"ResourceType": "vpc", "Tags": [{"Key": "Name", "Value": "throwaway"}]}]}, vpc="Vpc.VpcId")
refused("too wide", "CreateVpc", {"CidrBlock": "10.0.0.0/8"})
refused("not a block", "CreateVpc", {"CidrBlock": "ten"})
refused("rehearsal", "CreateVpc", {"CidrBlock": "10.98.0.0/16", "DryRun": True})
call("DescribeVpcs", {"VpcIds": ["$vpc"]}, _value="Vpcs[0].[State, CidrBlock, IsDefault]")
call("ModifyVpcAttribute", {"VpcId": "$vpc", "EnableDnsHostnames": {"Value": True}})
call("DescribeVpcAttribute", {"VpcId": "$vpc", "Attribute": "enableDnsSupport"})
call("CreateSubnet", {"VpcId": "$vpc", "CidrBlock": "10.99.1.0/24", "AvailabilityZone": "$zone"},
     subnet="Subnet.SubnetId")
refused("overlapping", "CreateSubnet", {"VpcId": "$vpc", "CidrBlock": "10.99.1.128/25"})
refused("outside", "CreateSubnet", {"VpcId": "$vpc", "CidrBlock": "10.98.1.0/24"})
call("DescribeSubnets", {"SubnetIds": ["$subnet"]},
     _value="Subnets[0].[State, CidrBlock, AvailableIpAddressCount]")
refused("ids and pages", "DescribeSubnets", {"SubnetIds": ["$subnet"], "MaxResults": 5})
call("ModifySubnetAttribute", {"SubnetId": "$subnet", "MapPublicIpOnLaunch": {"Value": False}})
call("CreateInternetGateway", igw="InternetGateway.InternetGatewayId")
call("AttachInternetGateway", {"InternetGatewayId": "$igw", "VpcId": "$vpc"})
refused("attached", "AttachInternetGateway", {"InternetGatewayId": "$igw", "VpcId": "$vpc"})
refused("attached", "DeleteInternetGateway", {"InternetGatewayId": "$igw"})
call("DescribeInternetGateways", {"InternetGatewayIds": ["$igw"]})
call("CreateRouteTable", {"VpcId": "$vpc"}, table="RouteTable.RouteTableId")
call("CreateRouteTable", {"VpcId": "$vpc"}, label="CreateRouteTable: second",
     table2="RouteTable.RouteTableId")
call("CreateRoute", {"RouteTableId": "$table", "DestinationCidrBlock": "0.0.0.0/0",
                     "GatewayId": "$igw"})
refused("the VPC's own block", "CreateRoute", {"RouteTableId": "$table",
                                         "DestinationCidrBlock": "10.99.0.0/16",
                                         "GatewayId": "$igw"})
refused("unknown gateway", "CreateRoute", {"RouteTableId": "$table",
                                           "DestinationCidrBlock": "192.0.2.0/24",
                                           "GatewayId": f"igw-{RANDOM}"})
call("AssociateRouteTable", {"RouteTableId": "$table", "SubnetId": "$subnet"},
     assoc="AssociationId")
refused("associated", "DeleteRouteTable", {"RouteTableId": "$table"})
call("ReplaceRouteTableAssociation", {"AssociationId": "$assoc", "RouteTableId": "$table2"},
     assoc="NewAssociationId")
call("DescribeRouteTables", {"RouteTableIds": ["$table"]},
     _value="RouteTables[0].Routes[].[DestinationCidrBlock, State, Origin]")
call("DescribeRouteTables", {"Filters": [{"Name": "association.subnet-id", "Values": ["$subnet"]}]},
     label="DescribeRouteTables: by subnet", _value="length(RouteTables)")
call("DescribeRouteTables", {"Filters": filters(vpc_id="$vpc") + [
    {"Name": "association.main", "Values": ["true"]}]},
     label="DescribeRouteTables: main", _value="length(RouteTables)")

# Groups and ACLs.
call("CreateSecurityGroup", {"GroupName": "nodes", "Description": "nodes", "VpcId": "$vpc"},
     group="GroupId")
refused("same name", "CreateSecurityGroup",
        {"GroupName": "nodes", "Description": "nodes", "VpcId": "$vpc"})
SSH = [{"IpProtocol": "tcp", "FromPort": 22, "ToPort": 22,
        "IpRanges": [{"CidrIp": "0.0.0.0/0", "Description": "ssh"}]}]
ALL = [{"IpProtocol": "-1", "UserIdGroupPairs": [{"GroupId": "$group"}]}]
call("AuthorizeSecurityGroupIngress", {"GroupId": "$group", "IpPermissions": SSH})
refused("twice", "AuthorizeSecurityGroupIngress", {"GroupId": "$group", "IpPermissions": SSH})
call("AuthorizeSecurityGroupEgress", {"GroupId": "$group", "IpPermissions": ALL})
call("DescribeSecurityGroups", {"GroupIds": ["$group"]},
     _value="SecurityGroups[0].[GroupName, IpPermissions[0].FromPort, IpPermissions[0].IpRanges[0].CidrIp, length(IpPermissionsEgress)]")
call("DescribeSecurityGroupRules", {"Filters": filters(group_id="$group")})
call("RevokeSecurityGroupEgress", {"GroupId": "$group", "IpPermissions": ALL})
call("CreateNetworkAcl", {"VpcId": "$vpc"}, acl="NetworkAcl.NetworkAclId")
ENTRY = {"NetworkAclId": "$acl", "RuleNumber": 100, "Protocol": "-1", "RuleAction": "allow",
         "Egress": False, "CidrBlock": "0.0.0.0/0"}
call("CreateNetworkAclEntry", ENTRY)
refused("twice", "CreateNetworkAclEntry", ENTRY)
call("ReplaceNetworkAclEntry", {**ENTRY, "RuleAction": "deny"})
call("DescribeNetworkAcls", {"Filters": [{"Name": "association.subnet-id", "Values": ["$subnet"]}]},
     _value="NetworkAcls[0].[IsDefault, length(Entries)]",
     aclassoc="NetworkAcls[0].Associations[?SubnetId=='$subnet']|[0].NetworkAclAssociationId",
     default_acl="NetworkAcls[0].NetworkAclId")
call("ReplaceNetworkAclAssociation", {"AssociationId": "$aclassoc", "NetworkAclId": "$acl"},
     aclassoc="NewAssociationId")
refused("associated", "DeleteNetworkAcl", {"NetworkAclId": "$acl"})
call("ReplaceNetworkAclAssociation", {"AssociationId": "$aclassoc", "NetworkAclId": "$default_acl"},
     label="ReplaceNetworkAclAssociation: back")
call("DeleteNetworkAclEntry", {"NetworkAclId": "$acl", "RuleNumber": 100, "Egress": False})
refused("default", "DeleteNetworkAcl", {"NetworkAclId": "$default_acl"})
call("DeleteNetworkAcl", {"NetworkAclId": "$acl"})

# Keys.
call("CreateKeyPair", {"KeyName": "throwaway", "KeyType": "ed25519"})
refused("same name", "CreateKeyPair", {"KeyName": "throwaway", "KeyType": "ed25519"})
PUBLIC = ("ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAILM+rvN+ot98qgEN796jTiQfZfG1KaT0PtFDJ/"
          "XFSqti user@example.com")
call("ImportKeyPair", {"KeyName": "imported", "PublicKeyMaterial": PUBLIC.encode()},
     _value="KeyFingerprint")
refused("no key", "ImportKeyPair", {"KeyName": "odd", "PublicKeyMaterial": b"odd"})
call("DescribeKeyPairs", {"KeyNames": ["throwaway"], "IncludePublicKey": True})
refused("unknown", "DescribeKeyPairs", {"KeyNames": ["none"]})

# An instance.
RUN = {"ImageId": "$ami", "InstanceType": "t3.small", "MinCount": 1, "MaxCount": 1,
       "SubnetId": "$subnet", "SecurityGroupIds": ["$group"], "KeyName": "throwaway"}
call("RunInstances", {**RUN, "PrivateIpAddress": "10.99.1.10", "UserData": "#!/bin/true"},
     instance="Instances[0].InstanceId",
     primary="Instances[0].NetworkInterfaces[0].NetworkInterfaceId")
call("RunInstances", {**RUN, "ClientToken": "once"}, label="RunInstances: with a token",
     once="Instances[0].InstanceId")
call("RunInstances", {**RUN, "ClientToken": "once"}, label="RunInstances: same token",
     again="Instances[0].InstanceId")
call("DescribeInstances", {"Filters": filters(client_token="once")},
     label="DescribeInstances: by token", _value="length(Reservations[].Instances[])")
refused("same token, other request", "RunInstances", {**RUN, "ClientToken": "once", "InstanceType": "t3.micro"})
refused("address in use", "RunInstances", {**RUN, "PrivateIpAddress": "10.99.1.10"})
refused("address outside", "RunInstances", {**RUN, "PrivateIpAddress": "10.98.1.10"})
refused("unknown key", "RunInstances", {**RUN, "KeyName": "none"})
refused("unknown image", "RunInstances", {**RUN, "ImageId": f"ami-{RANDOM}"})
refused("unknown profile", "RunInstances", {**RUN, "IamInstanceProfile": {"Name": "none"}})
refused("rehearsal", "RunInstances", {**RUN, "DryRun": True})
call("DescribeInstances", {"InstanceIds": ["$instance"]}, label="wait: running",
     _until="Reservations[0].Instances[0].State.Name=='running'")
call("DescribeInstances", {"InstanceIds": ["$instance"]},
     _value="Reservations[0].Instances[0].[State.Code, PrivateIpAddress, SourceDestCheck, RootDeviceType, length(BlockDeviceMappings), length(NetworkInterfaces)]")
call("DescribeInstances", {"Filters": [{"Name": "network-interface.network-interface-id",
                                        "Values": ["$primary"]}]},
     label="DescribeInstances: by interface", _value="length(Reservations)")
call("DescribeInstanceStatus", {"InstanceIds": ["$instance"]})
call("DescribeInstanceAttribute", {"InstanceId": "$instance", "Attribute": "groupSet"})
call("DescribeInstanceAttribute", {"InstanceId": "$instance", "Attribute": "userData"},
     label="DescribeInstanceAttribute: user data")
call("ModifyInstanceAttribute", {"InstanceId": "$instance", "SourceDestCheck": {"Value": False}})
call("DescribeInstances", {"InstanceIds": ["$instance"]},
     label="DescribeInstances: after the check is off",
     _value="Reservations[0].Instances[0].SourceDestCheck")
call("GetConsoleOutput", {"InstanceId": "$instance"})
call("RebootInstances", {"InstanceIds": ["$instance"]})

# Interfaces and their addresses.
call("CreateNetworkInterface", {"SubnetId": "$subnet", "Groups": ["$group"],
                                "PrivateIpAddress": "10.99.1.20", "Description": "second"},
     eni="NetworkInterface.NetworkInterfaceId")
refused("address in use", "CreateNetworkInterface",
        {"SubnetId": "$subnet", "PrivateIpAddress": "10.99.1.20"})
refused("reserved address", "CreateNetworkInterface",
        {"SubnetId": "$subnet", "PrivateIpAddress": "10.99.1.1"})
call("AttachNetworkInterface", {"NetworkInterfaceId": "$eni", "InstanceId": "$instance",
                                "DeviceIndex": 1}, attachment="AttachmentId")
refused("attached", "AttachNetworkInterface",
        {"NetworkInterfaceId": "$eni", "InstanceId": "$instance", "DeviceIndex": 2})
call("DescribeNetworkInterfaces", {"NetworkInterfaceIds": ["$eni"]},
     _value="NetworkInterfaces[0].[Status, PrivateIpAddress, Attachment.DeleteOnTermination]")
call("DescribeNetworkInterfaces", {"NetworkInterfaceIds": ["$primary"]},
     label="DescribeNetworkInterfaces: primary",
     _value="NetworkInterfaces[0].[Status, Attachment.DeleteOnTermination, Attachment.DeviceIndex]")
call("DescribeNetworkInterfaceAttribute", {"NetworkInterfaceId": "$eni",
                                           "Attribute": "description"})
call("ModifyNetworkInterfaceAttribute", {"NetworkInterfaceId": "$primary",
                                         "SourceDestCheck": {"Value": True}})
ASSIGN = {"NetworkInterfaceId": "$eni", "PrivateIpAddresses": ["10.99.1.9"]}
call("AssignPrivateIpAddresses", ASSIGN)
refused("held by another", "AssignPrivateIpAddresses",
        {"NetworkInterfaceId": "$primary", "PrivateIpAddresses": ["10.99.1.9"]})
call("AssignPrivateIpAddresses", {"NetworkInterfaceId": "$primary",
                                  "PrivateIpAddresses": ["10.99.1.9"], "AllowReassignment": True},
     label="AssignPrivateIpAddresses: moved", _value="AssignedPrivateIpAddresses[].PrivateIpAddress")
call("DescribeNetworkInterfaces", {"Filters": [{"Name": "addresses.private-ip-address",
                                               "Values": ["10.99.1.9"]}]},
     label="DescribeNetworkInterfaces: who has the moved address",
     _value="length(NetworkInterfaces)")
refused("outside", "AssignPrivateIpAddresses",
        {"NetworkInterfaceId": "$eni", "PrivateIpAddresses": ["10.98.1.9"]})
refused("over the limit", "AssignPrivateIpAddresses",
        {"NetworkInterfaceId": "$eni", "SecondaryPrivateIpAddressCount": 9})
call("UnassignPrivateIpAddresses", {"NetworkInterfaceId": "$primary",
                                    "PrivateIpAddresses": ["10.99.1.9"]})
refused("not there", "UnassignPrivateIpAddresses",
        {"NetworkInterfaceId": "$primary", "PrivateIpAddresses": ["10.99.1.9"]})
refused("the primary", "UnassignPrivateIpAddresses",
        {"NetworkInterfaceId": "$eni", "PrivateIpAddresses": ["10.99.1.20"]})
call("ReplaceRoute", {"RouteTableId": "$table", "DestinationCidrBlock": "0.0.0.0/0",
                      "NetworkInterfaceId": "$primary"})
refused("a host of the VPC", "CreateRoute",
        {"RouteTableId": "$table", "DestinationCidrBlock": "10.99.1.9/32",
         "NetworkInterfaceId": "$primary"})
call("DeleteRoute", {"RouteTableId": "$table", "DestinationCidrBlock": "0.0.0.0/0"})
refused("not there", "DeleteRoute", {"RouteTableId": "$table",
                                     "DestinationCidrBlock": "0.0.0.0/0"})

# What hangs on a VPC beside instances.
call("DescribeNatGateways", {"Filter": [{"Name": "vpc-id", "Values": ["$vpc"]}]},
     _value="length(NatGateways)")
call("DescribeVpcEndpoints", {"Filters": [{"Name": "vpc-id", "Values": ["$vpc"]}]},
     _value="length(VpcEndpoints)")
call("DescribeVpcPeeringConnections", {}, _value="length(VpcPeeringConnections)")
call("DescribeTransitGatewayVpcAttachments",
     {"Filters": [{"Name": "vpc-id", "Values": ["$vpc"]}]},
     _value="length(TransitGatewayVpcAttachments)")

# Volumes and Elastic IP addresses.
call("CreateVolume", {"AvailabilityZone": "$zone", "Size": 10, "VolumeType": "gp3"},
     volume="VolumeId")
refused("unknown zone", "CreateVolume", {"AvailabilityZone": "nowhere", "Size": 1})
call("AttachVolume", {"VolumeId": "$volume", "InstanceId": "$instance", "Device": "/dev/sdg"})
refused("attached", "DeleteVolume", {"VolumeId": "$volume"})
call("DescribeVolumes", {"VolumeIds": ["$volume"]},
     _value="Volumes[0].[State, Size, VolumeType, Attachments[0].State]")
call("DetachVolume", {"VolumeId": "$volume", "InstanceId": "$instance"})
refused("detached", "DetachVolume", {"VolumeId": "$volume", "InstanceId": "$instance"})
call("DeleteVolume", {"VolumeId": "$volume"})
call("AllocateAddress", {"Domain": "vpc"}, eip="AllocationId")
call("AssociateAddress", {"AllocationId": "$eip", "NetworkInterfaceId": "$primary"},
     eipassoc="AssociationId")
refused("elsewhere", "AssociateAddress", {"AllocationId": "$eip", "NetworkInterfaceId": "$eni",
                                          "AllowReassociation": False})
call("DescribeAddresses", {"AllocationIds": ["$eip"]},
     _value="Addresses[0].[Domain, PrivateIpAddress]")
refused("in use", "ReleaseAddress", {"AllocationId": "$eip"})
refused("mapped addresses", "DetachInternetGateway", {"InternetGatewayId": "$igw", "VpcId": "$vpc"})
call("DisassociateAddress", {"AssociationId": "$eipassoc"})
call("ReleaseAddress", {"AllocationId": "$eip"})

# Tags.
call("CreateTags", {"Resources": ["$subnet", "$instance"], "Tags": [{"Key": "k", "Value": "v"}]})
refused("reserved", "CreateTags", {"Resources": ["$subnet"], "Tags": [{"Key": "aws:k", "Value": "v"}]})
call("DescribeTags", {"Filters": filters(resource_id="$subnet")},
     _value="Tags[].[ResourceType, Key, Value]")
call("DeleteTags", {"Resources": ["$subnet"], "Tags": [{"Key": "k"}]})

# Down: the wrong order first.
refused("in use", "DeleteSubnet", {"SubnetId": "$subnet"})
refused("rehearsal", "DeleteSubnet", {"SubnetId": f"subnet-{RANDOM}", "DryRun": True})
refused("in use", "DeleteSecurityGroup", {"GroupId": "$group"})
refused("in use", "DeleteVpc", {"VpcId": "$vpc"})
call("StopInstances", {"InstanceIds": ["$instance"]})
call("DescribeInstances", {"InstanceIds": ["$instance"]}, label="wait: stopped",
     _until="Reservations[0].Instances[0].State.Name=='stopped'")
call("StartInstances", {"InstanceIds": ["$instance"]})
call("DescribeInstances", {"InstanceIds": ["$instance"]}, label="wait: running again",
     _until="Reservations[0].Instances[0].State.Name=='running'")
refused("unknown", "DetachNetworkInterface", {"AttachmentId": f"eni-attach-{RANDOM}"})
refused("attached", "DeleteNetworkInterface", {"NetworkInterfaceId": "$eni"})
call("DetachNetworkInterface", {"AttachmentId": "$attachment"})
call("DeleteNetworkInterface", {"NetworkInterfaceId": "$eni"})
refused("gone", "DescribeNetworkInterfaces", {"NetworkInterfaceIds": ["$eni"]})
call("ModifyInstanceAttribute", {"InstanceId": "$instance",
                                 "DisableApiTermination": {"Value": True}},
     label="ModifyInstanceAttribute: protect")
refused("protected", "TerminateInstances", {"InstanceIds": ["$instance"]})
call("ModifyInstanceAttribute", {"InstanceId": "$instance",
                                 "DisableApiTermination": {"Value": False}},
     label="ModifyInstanceAttribute: unprotect")
refused("rehearsal", "TerminateInstances", {"InstanceIds": ["$instance"], "DryRun": True})
call("TerminateInstances", {"InstanceIds": ["$instance", "$once"]})
call("DescribeInstances", {"InstanceIds": ["$instance", "$once"]}, label="wait: terminated",
     _until="length(Reservations[].Instances[?State.Name=='terminated'][])==`2`")
refused("gone with its instance", "DescribeNetworkInterfaces", {"NetworkInterfaceIds": ["$primary"]})
call("RevokeSecurityGroupIngress", {"GroupId": "$group", "IpPermissions": SSH})
refused("not there", "RevokeSecurityGroupIngress", {"GroupId": "$group", "IpPermissions": SSH})
call("DeleteSecurityGroup", {"GroupId": "$group"})
call("DisassociateRouteTable", {"AssociationId": "$assoc"})
refused("rehearsal", "DeleteRouteTable", {"RouteTableId": "$table", "DryRun": True})
call("DeleteRouteTable", {"RouteTableId": "$table"})
call("DeleteRouteTable", {"RouteTableId": "$table2"}, label="DeleteRouteTable: second")
call("DetachInternetGateway", {"InternetGatewayId": "$igw", "VpcId": "$vpc"})
call("DeleteInternetGateway", {"InternetGatewayId": "$igw"})
call("DeleteSubnet", {"SubnetId": "$subnet"})
call("DeleteVpc", {"VpcId": "$vpc"})
call("DeleteKeyPair", {"KeyName": "throwaway"})
call("DeleteKeyPair", {"KeyName": "throwaway"}, label="DeleteKeyPair: not there")
call("GetCallerIdentity", service=STS)

# Only for the shapes: the mock's own role and user.
OWN = len(CALLS)
ROLE = "lab-smoke-executor"
ROLE_ARN = f"arn:aws:iam::123456789012:role/{ROLE}"
call("GetRole", {"RoleName": ROLE}, service=IAM)
call("GetInstanceProfile", {"InstanceProfileName": ROLE}, service=IAM)
call("ListAttachedRolePolicies", {"RoleName": ROLE}, service=IAM)
call("ListRolePolicies", {"RoleName": ROLE}, service=IAM)
call("GetRolePolicy", {"RoleName": ROLE, "PolicyName": ROLE}, service=IAM)
call("ListInstanceProfilesForRole", {"RoleName": ROLE}, service=IAM)
POLICY = "arn:aws:iam::123456789012:policy/example"
call("GetPolicy", {"PolicyArn": POLICY}, service=IAM)
call("GetPolicyVersion", {"PolicyArn": POLICY, "VersionId": "v1"}, service=IAM)
call("ListPolicyVersions", {"PolicyArn": POLICY}, service=IAM)
call("GetUser", service=IAM)
call("ListUserPolicies", {"UserName": "lab-operator"}, service=IAM)
call("GetUserPolicy", {"UserName": "lab-operator", "PolicyName": "lab-operator"}, service=IAM)
call("ListAttachedUserPolicies", {"UserName": "lab-operator"}, service=IAM)
call("SimulatePrincipalPolicy", {"PolicySourceArn": ROLE_ARN, "ActionNames": [
    "ec2:DescribeNetworkInterfaces", "ec2:StopInstances"]}, service=IAM)
call("SimulateCustomPolicy", {"PolicyInputList": ['{"Statement":{"Effect":"Deny","Action":"*","Resource":"*"}}'],
                              "ActionNames": ["ec2:StopInstances"]}, service=IAM)
call("AssumeRole", {"RoleArn": "arn:aws:iam::123456789012:role/example",
                    "RoleSessionName": "tests"}, service=STS)
call("DecodeAuthorizationMessage", {"EncodedMessage": "eyJjb250ZXh0Ijp7fX0"}, service=STS)
