//! A volume that an instance has and that stays when it is terminated: what a run must take away, or must
//! be told to leave.

use std::io;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use lab::node::Node;
use lab_mock::cloud::{Tags, VolumeAttachment};
use lab_mock::world::World;

/// Whether the volume has the lab's tag. One that has is in the lab's manifest, to be deleted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum OutlivingVolume {
    Tagged,
    Untagged,
}

impl FromStr for OutlivingVolume {
    type Err = String;

    fn from_str(word: &str) -> Result<Self, String> {
        match word {
            "tagged" => Ok(Self::Tagged),
            "untagged" => Ok(Self::Untagged),
            other => Err(format!("`{other}` is neither tagged nor untagged")),
        }
    }
}

impl OutlivingVolume {
    /// Gives cloud-client's instance a second volume.
    pub(super) fn attach(self, world: &mut World) -> io::Result<()> {
        let node = Node::CloudClient;
        let missing = || io::Error::other(format!("{node} has no instance with a volume"));
        let instance_id = world.cloud.instance_of(node).map(|it| it.id.clone());
        let instance_id = instance_id.ok_or_else(missing)?;
        let is_root = |it: &&VolumeAttachment| it.instance_id == instance_id;
        let mut all = world.cloud.volumes.values();
        let root = all.find(|volume| volume.attachments.iter().any(|it| is_root(&it)));
        let mut data = root.cloned().ok_or_else(missing)?;
        data.id = world.cloud.new_id("vol");
        for attachment in &mut data.attachments {
            attachment.delete_on_termination = false;
            "/dev/sdf".clone_into(&mut attachment.device);
        }
        match self {
            Self::Tagged => {
                data.tags.insert("Name".to_owned(), "cloud-client-data".to_owned());
            }
            Self::Untagged => data.tags = Tags::new(),
        }
        world.cloud.volumes.insert(data.id.clone(), data);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_manifest_names_the_volume_where_it_is_the_labs() {
        for (volume, named) in [(OutlivingVolume::Tagged, 2), (OutlivingVolume::Untagged, 1)] {
            let mut world = lab_mock::world_of(7, chrono::DateTime::UNIX_EPOCH);
            volume.attach(&mut world).expect("it has an instance");
            let manifest = lab_mock::manifest_of(&world).expect("a manifest");
            assert_eq!(manifest.teardown.delete_volumes.len(), named, "{volume:?}");
            let stays = world.cloud.volumes.values().flat_map(|it| &it.attachments);
            assert_eq!(stays.filter(|it| !it.delete_on_termination).count(), 1);
        }
        assert!("both".parse::<OutlivingVolume>().is_err());
    }
}
