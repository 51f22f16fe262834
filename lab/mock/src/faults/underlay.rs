//! The network between the two routers: it may be slow, and it may lose packets. The model's
//! overlay and the kernel lab's relay follow the same rule.

use serde::{Deserialize, Serialize};

use super::fault::Fault;
use super::hand::{Done, parse_milliseconds};
use crate::world::World;

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Underlay {
    /// Each way.
    pub delay_ms: u64,
    /// Each way, and evenly: at 5 it is the 20th, the 40th and so on.
    pub loss_percent: u32,
}

/// Counts the packets of one direction.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Losses {
    owed_percent: u32,
}

impl Losses {
    /// Whether the next packet is lost.
    pub fn take(&mut self, underlay: Underlay) -> bool {
        self.owed_percent += underlay.loss_percent;
        let lost = self.owed_percent >= 100;
        if lost {
            self.owed_percent -= 100;
        }
        lost
    }
}

#[rustfmt::skip]
pub const FAULTS: &[Fault] = &[
    Fault::new("underlay-delay", "every packet between the routers takes longer, each way", delay)
        .argument("40ms").on_netns().from("§7", "netns-lab §9"),
    Fault::new("underlay-loss", "so many of a hundred packets between the routers are lost, each way", loss)
        .argument("5%").on_netns().from("§7", "netns-lab §9"),
];

fn delay(world: &mut World, argument: &str) -> Done {
    world.faults.underlay.delay_ms = parse_milliseconds(argument)?;
    Ok(())
}

fn loss(world: &mut World, argument: &str) -> Done {
    world.faults.underlay.loss_percent = percent(argument)?;
    Ok(())
}

/// More than half would be another fault: no path.
fn percent(text: &str) -> Result<u32, String> {
    let number = text.strip_suffix('%').and_then(|digits| digits.parse().ok());
    let number: Option<u32> = number.filter(|number| (1..=50).contains(number));
    number.ok_or_else(|| "it is no share from 1% to 50%".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exactly_so_many_of_a_hundred_are_lost_and_evenly() {
        for loss_percent in [0, 1, 5, 33, 50] {
            let underlay = Underlay { delay_ms: 0, loss_percent };
            let mut losses = Losses::default();
            let lost: Vec<u32> = (1..=100).filter(|_| losses.take(underlay)).collect();
            assert_eq!(u32::try_from(lost.len()), Ok(loss_percent));
            let apart = lost.windows(2).map(|pair| pair[1] - pair[0]);
            let (least, most) = (apart.clone().min(), apart.max());
            assert!(most.unwrap_or(0) <= least.unwrap_or(0) + 1, "{lost:?}");
        }
    }

    #[test]
    fn a_share_is_a_whole_number_with_its_sign() {
        assert_eq!(percent("5%"), Ok(5));
        for nonsense in ["5", "0%", "51%", "-1%", "5.5%", ""] {
            assert!(percent(nonsense).is_err(), "{nonsense}");
        }
    }
}
