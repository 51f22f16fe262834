//! One look at all that a run may leave, kind by kind, and the looks that are made until two in a row
//! find the same: EC2 may show an earlier state (I5).

use lab::Lab;
use lab::ec2::{
    Address, Answer, Endpoint, Instance, NatGateway, NetworkInterface, ReadError, Sighted, Volume,
};
use reports::record::{ResidueItem, ResourceKind};

use super::{
    ADDRESSES, ENDPOINTS, Fate, INSTANCES, INTERFACES, NAT_GATEWAYS, ResidueOfKind, VOLUMES, fate,
    item,
};
use crate::context::{Context, How};
use crate::sight::{self, LabAddresses};
use crate::twice::{self, LookPace, LooksInARow};
use crate::watch::{self, Costly, Read};

/// The answers of one look.
pub struct ResidueLook {
    /// By tag.
    pub tagged: Read<Instance>,
    /// Of the manifest's.
    pub by_id: Read<Instance>,
    pub addresses: Read<Address>,
    /// By tag and by id.
    pub volumes: Read<Volume>,
    /// By id.
    interfaces: Read<NetworkInterface>,
    nat_gateways: Read<NatGateway>,
    endpoints: Read<Endpoint>,
    /// The interfaces of a VPC that is the lab's alone.
    in_the_vpc: Vec<String>,
}

/// What a look found of one kind; or why that is not known.
pub struct KindFound {
    pub id: &'static str,
    pub found: Result<ResidueOfKind, String>,
    pub how: How,
    /// The ids that the look before it found left; none where it saw nothing, or was none.
    pub before: Option<Vec<String>>,
}

/// The last look, with what it found.
pub struct LastLook {
    pub look: ResidueLook,
    pub kinds: Vec<KindFound>,
    /// Whether it found the same as the look before it.
    pub settled: bool,
}

/// Looks until two looks in a row find the same, or the limit.
pub async fn look_until_settled(lab: &Lab, ctx: &mut Context<'_>, ids: &[String]) -> LastLook {
    let look = async || {
        let look = Box::pin(take_look(lab, ctx, ids)).await;
        let kinds = find(lab, ctx, &look);
        (look, kinds)
    };
    let looks = twice::look_until(lab, LookPace::at_leisure(lab), look, |before, (_, now)| {
        before.is_some_and(|(_, before)| find_the_same(before, now))
    })
    .await;
    let (before, (_, now)) = looks.last_two();
    let settled = before.is_some_and(|(_, before)| find_the_same(before, now));
    let LooksInARow { first: (mut look, mut kinds), later } = looks;
    for (next, now) in later {
        (look, kinds) = (next, after(now, kinds));
    }
    LastLook { look, kinds, settled }
}

fn find_the_same(before: &[KindFound], now: &[KindFound]) -> bool {
    before.iter().zip(now).all(|(before, now)| before.ids() == now.ids())
}

/// Each with what the look before it found, and how.
fn after(now: Vec<KindFound>, before: Vec<KindFound>) -> Vec<KindFound> {
    let each = now.into_iter().zip(before).map(|(it, before)| {
        let ids = before.ids();
        KindFound { how: before.how.and(it.how), before: ids, ..it }
    });
    each.collect()
}

impl KindFound {
    fn ids(&self) -> Option<Vec<String>> {
        self.found.as_ref().ok().map(ResidueOfKind::left_ids)
    }
}

async fn take_look(lab: &Lab, ctx: &Context<'_>, ids: &[String]) -> ResidueLook {
    let sighted = ctx.journal.with_records(Sighted::of);
    let mut volume_ids = sighted.ids(ResourceKind::Volume);
    volume_ids.extend(lab.manifest.teardown.delete_volumes.iter().cloned());
    let volume_ids: Vec<String> = volume_ids.into_iter().collect();
    let eni_ids: Vec<String> = sighted.ids(ResourceKind::NetworkInterface).into_iter().collect();
    let (costly, by_id, volumes_by_id, interfaces, in_the_vpc) = futures::join!(
        watch::read_costly(lab),
        lab.find_instances(ids),
        lab.reader.volumes(&volume_ids),
        lab.reader.interfaces(&eni_ids),
        sight::interfaces_of_the_vpc(lab),
    );
    let Costly { instances: tagged, addresses, volumes, nat_gateways, endpoints } = costly;
    let volumes = watch::join_reads(volumes, volumes_by_id, |it| &it.volume_id);
    ResidueLook {
        tagged,
        by_id,
        addresses,
        volumes,
        interfaces,
        nat_gateways,
        endpoints,
        in_the_vpc,
    }
}

fn find(lab: &Lab, ctx: &mut Context<'_>, look: &ResidueLook) -> Vec<KindFound> {
    // What hangs on an instance is asked for by id: of one that nobody has named as well.
    for answer in look.tagged.iter().chain(&look.by_id) {
        sight::record(lab, ctx, &answer.value, &[], &[]);
    }
    let own = LabAddresses::known(lab, ctx.journal).and_on(look.in_the_vpc.clone());
    let aged = Ages { lab, ctx: &*ctx };
    let address = |it: &Address| own.has(it).then(|| aged.address(it));
    let volume = |it: &Volume| aged.volume(it);
    let interface = |it: &NetworkInterface| aged.interface(it);
    let nat_gateway = |it: &NatGateway| aged.nat_gateway(it);
    let endpoint = |it: &Endpoint| aged.endpoint(it);
    let instances = aged.instances(&look.tagged, &look.by_id);
    let found = [
        (INSTANCES, instances),
        (INTERFACES, of_kind(lab, &look.interfaces, interface)),
        (ADDRESSES, of_kind(lab, &look.addresses, address)),
        (VOLUMES, of_kind(lab, &look.volumes, volume)),
        (NAT_GATEWAYS, of_kind(lab, &look.nat_gateways, nat_gateway)),
        (ENDPOINTS, of_kind(lab, &look.endpoints, endpoint)),
    ];
    let hows = [
        keep(ctx, &look.tagged).and(keep(ctx, &look.by_id)),
        keep(ctx, &look.interfaces),
        keep(ctx, &look.addresses),
        keep(ctx, &look.volumes),
        keep(ctx, &look.nat_gateways),
        keep(ctx, &look.endpoints),
    ];
    let kinds = found.into_iter().zip(hows);
    kinds.map(|((id, found), how)| KindFound { id, found, how, before: None }).collect()
}

fn keep<T>(ctx: &mut Context<'_>, read: &Read<T>) -> How {
    match read {
        Ok(answer) => ctx.seen(answer),
        Err(error) => ctx.seen_error(error),
    }
}

fn of_kind<T>(
    lab: &Lab,
    answer: &Result<Answer<Vec<T>>, ReadError>,
    item: impl Fn(&T) -> Option<ResidueItem>,
) -> Result<ResidueOfKind, String> {
    let answer = answer.as_ref().map_err(ToString::to_string)?;
    let mut found = ResidueOfKind::default();
    for item in answer.value.iter().filter_map(item) {
        found.add(lab, item);
    }
    Ok(found)
}

/// What makes items of resources, with how old they are.
struct Ages<'a, 'b> {
    lab: &'a Lab,
    ctx: &'a Context<'b>,
}

impl Ages<'_, '_> {
    /// The item with its age: by EC2's word, else by the first sight of this run.
    fn with_age(
        &self,
        mut item: ResidueItem,
        since: Option<chrono::DateTime<chrono::Utc>>,
    ) -> ResidueItem {
        let now = self.lab.clock.now();
        let first =
            || self.ctx.journal.with_records(|records| sight::first_seen(records, &item.id));
        let said = match (since, since.or_else(first)) {
            (Some(since), _) => format!("there since {since}, {}", ago(now - since)),
            (None, Some(first)) => format!("seen first at {first}, {}", ago(now - first)),
            (None, None) => "seen now for the first time".to_owned(),
        };
        item.why = format!("{}; {said}", item.why);
        item
    }

    /// By tag and by id: a tag that was taken off hides nothing.
    fn instances(
        &self,
        tagged: &Read<Instance>,
        by_id: &Read<Instance>,
    ) -> Result<ResidueOfKind, String> {
        let tagged = tagged.as_ref().map_err(ToString::to_string)?;
        let by_id = by_id.as_ref().map_err(ToString::to_string)?;
        let mut found = ResidueOfKind::default();
        let mut seen = std::collections::BTreeSet::new();
        for instance in tagged.value.iter().chain(&by_id.value) {
            if !seen.insert(instance.instance_id.clone()) {
                continue;
            }
            let aged = |item| self.with_age(item, instance.launched_at);
            match fate(self.lab, instance) {
                Fate::AsWanted => {}
                Fate::Kept(item) => found.kept.push(aged(item)),
                Fate::Left(item) => found.add(self.lab, aged(item)),
            }
        }
        Ok(found)
    }

    fn address(&self, address: &Address) -> ResidueItem {
        let on = address.network_interface_id.as_ref();
        let on = on.map(|id| format!(", and associated with {id}")).unwrap_or_default();
        let why = format!("{} is allocated{on}", address.public_ip);
        let item = item(self.lab, "elastic IP address", &address.allocation_id, why);
        self.with_age(item, None)
    }

    /// A volume that is attached belongs to its instance, unless teardown was to delete it; one that
    /// is being deleted is going.
    fn volume(&self, volume: &Volume) -> Option<ResidueItem> {
        let to_be_deleted = self.lab.manifest.teardown.delete_volumes.contains(&volume.volume_id);
        let why = match volume.attached_to.as_slice() {
            [] => format!("it is {} and attached to nothing", volume.state),
            on => format!("it was to be deleted, and is attached to {}", on.join(", ")),
        };
        let left = watch::is_unattached(volume) || to_be_deleted && volume.state != "deleting";
        left.then(|| {
            let item = item(self.lab, "volume", &volume.volume_id, why);
            self.with_age(item, volume.created_at)
        })
    }

    /// An interface that this run saw on an instance, and that stayed when it ended: it holds its
    /// address, its security groups and its subnet.
    fn interface(&self, eni: &NetworkInterface) -> Option<ResidueItem> {
        let id = &eni.network_interface_id;
        let why = "it is attached to nothing: its instance ended without it".to_owned();
        eni.instance_id.is_none().then(|| {
            let mut item = item(self.lab, "network interface", id, why);
            item.costs_money = false;
            self.with_age(item, None)
        })
    }

    fn nat_gateway(&self, gateway: &NatGateway) -> Option<ResidueItem> {
        let why = format!("it is {} in the lab's VPC", gateway.state);
        let item = || item(self.lab, "NAT gateway", &gateway.nat_gateway_id, why);
        watch::is_there(gateway).then(|| self.with_age(item(), None))
    }

    fn endpoint(&self, endpoint: &Endpoint) -> Option<ResidueItem> {
        let why = format!("it is {} in the lab's VPC", endpoint.state);
        let item = || item(self.lab, "VPC endpoint", &endpoint.vpc_endpoint_id, why);
        watch::is_charged(endpoint).then(|| self.with_age(item(), None))
    }
}

fn ago(age: chrono::TimeDelta) -> String {
    match (age.num_days(), age.num_hours(), age.num_minutes()) {
        (1.., _, _) => format!("{} d {} h ago", age.num_days(), age.num_hours() % 24),
        (_, 1.., _) => format!("{} h {} min ago", age.num_hours(), age.num_minutes() % 60),
        (_, _, 1..) => format!("{} min ago", age.num_minutes()),
        _ => "just now".to_owned(),
    }
}
