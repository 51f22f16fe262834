//! The resources that stay when an instance has ended: elastic IP addresses and volumes.

use aws_sdk_ec2::types::DomainType::Standard;

use super::facts::{Address, Volume};
use super::reader::{
    Answer, ReadError, Reader, at_most_one, call, describe, join_pages, make_filter,
    make_unreadable, nothing_asked, one_of,
};

impl Reader {
    /// All elastic IP addresses of the region that carry this tag.
    pub async fn addresses_tagged(
        &self,
        key: &str,
        value: &str,
    ) -> Result<Answer<Vec<Address>>, ReadError> {
        let request =
            self.ec2.describe_addresses().filters(make_filter(&format!("tag:{key}"), value));
        self.describe_addresses(request).await
    }

    /// All of the account in the region: there are few, and one that has no tag is seen as well.
    pub async fn addresses(&self) -> Result<Answer<Vec<Address>>, ReadError> {
        self.describe_addresses(self.ec2.describe_addresses()).await
    }

    /// By allocation id; `None` where EC2 does not list it.
    pub async fn address(&self, id: &str) -> Result<Answer<Option<Address>>, ReadError> {
        let request = self.ec2.describe_addresses().filters(make_filter("allocation-id", id));
        at_most_one(self.describe_addresses(request).await?, id, |address| &address.allocation_id)
    }

    async fn describe_addresses(
        &self,
        request: aws_sdk_ec2::operation::describe_addresses::builders::DescribeAddressesFluentBuilder,
    ) -> Result<Answer<Vec<Address>>, ReadError> {
        const CALL: &str = "ec2 DescribeAddresses";
        self.count();
        let page = call!("ec2 DescribeAddresses", request)?;
        let pages = vec![page.captured];
        // EC2-Classic's have no allocation id, as AWS's own answers show: none was ever in a VPC, and
        // one of them must not make the others unreadable.
        let in_vpc = page.value.addresses().iter().filter(|it| it.domain() != Some(&Standard));
        let facts: Result<Vec<_>, _> = in_vpc.map(Address::try_from).collect();
        Ok(join_pages(CALL, facts.map_err(make_unreadable(CALL, &pages))?, pages))
    }

    /// All volumes of the region that carry this tag.
    pub async fn volumes_tagged(
        &self,
        key: &str,
        value: &str,
    ) -> Result<Answer<Vec<Volume>>, ReadError> {
        let request =
            self.ec2.describe_volumes().filters(make_filter(&format!("tag:{key}"), value));
        describe!(self, "ec2 DescribeVolumes", request, volumes, Volume)
    }

    /// Those of these ids that EC2 lists.
    pub async fn volumes(&self, ids: &[String]) -> Result<Answer<Vec<Volume>>, ReadError> {
        if ids.is_empty() {
            return Ok(nothing_asked("ec2 DescribeVolumes"));
        }
        let request = self.ec2.describe_volumes().filters(one_of("volume-id", ids));
        describe!(self, "ec2 DescribeVolumes", request, volumes, Volume)
    }

    /// `None` where EC2 does not list it.
    pub async fn volume(&self, id: &str) -> Result<Answer<Option<Volume>>, ReadError> {
        let found = self.volumes(&[id.to_owned()]).await?;
        at_most_one(found, id, |volume| &volume.volume_id)
    }
}
