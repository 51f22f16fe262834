//! What routerctl prints where it is asked for help, or not understood.

pub const ROUTERCTL: &str = "\
usage: routerctl <command> [options]\n\
\n\
commands:\n\
\x20 federation event emit --group <name> --type <topic> [--subject <s>] [--source-node <n>] [--payload k=v ...] [--ttl <dur>] [--state-file <path>] [-o table|json|yaml]\n\
\x20 federation event list [--group <name>] [--include-expired] [--state-file <path>] [-o table|json|yaml]\n\
\x20 federation deliveries summary [--group <name>] [--peer <name>] [--type <type>] [--include-expired] [--state-file <path>] [-o table|json|yaml]\n\
\x20 ledger integrity-check [--state-file <path>] [-o table|json]\n\
\x20 ledger vacuum [--state-file <path>]\n\
\x20 ledger backup <dest-path> [--state-file <path>]\n\
\x20 ledger prune-events --older-than <duration> [--state-file <path>] [--dry-run]\n\
\x20 get <subject|kind[/name]> [--socket <path>] [--limit <n>] [-o table|json|yaml]\n\
\x20 get events|ledger|connections|dns-queries|traffic-flows|firewall-logs [--socket <path>] [-o table|json|yaml]\n\
\x20 describe <kind>/<name> [--socket <path>] [--events-limit <n>] [-o table|json|yaml]\n\
\x20 describe firewall [--config <path>]\n\
\x20 firewall test from=<zone> to=<zone|self> proto=<tcp|udp> dport=<port> [--config <path>]\n\
\x20 dynamic list [--state-file <path>] [-o table|json|yaml]\n\
\x20 dynamic describe <source> [--state-file <path>] [-o table|json|yaml]\n\
\x20 dynamic render [--config <path>] [--state-file <path>] [-o yaml|json]\n\
\x20 dynamic diff [--config <path>] [--state-file <path>] [-o text|json]\n\
\x20 mobility owners [--pool <name>] [--address <ipv4/32>] [--state-file <path>] [-o table|json|yaml]\n\
\x20 mobility explain --pool <name> --address <ipv4/32> [--state-file <path>] [-o table|json|yaml]\n\
\x20 mobility paths [--prefix <prefix>] [--state-file <path>] [-o table|json|yaml]\n\
\x20 mobility traps [--address <ipv4/32>] [--state-file <path>] [-o table|json|yaml]\n\
\x20 mobility enrollment-hmac --config <path> --claim <name> (--secret-file <path>|--secret-env <name>|--secret <value>) [--show-payload]\n\
\x20 mobility enrollment-submit --config <path> --claim <name> [--socket <path>] [-o table|json|yaml]\n\
\x20 mobility leaf-config --leaf-id <name> --underlay-ifname <ifname> --underlay-address <cidr> --local-endpoint <ip> --endpoint-prefix <cidr> --inner-prefix <cidr> --tunnel-address <ipv4/32> --mobility-prefix <cidr> [--owned-address <ipv4/32>] --rr-set <name> [--direct-peer-group <name> --rr-local-preference 100 --direct-local-preference 200] --policy <name> --join-audience <name> --bootstrap-endpoint <url>\n\
\x20 plugin list [--config <path>] [-o table|json|yaml]\n\
\x20 plugin run <name> [--dry-run] [--config <path>] [--state-file <path>] [-o table|json|yaml]\n\
\x20 action import [--config <path>] [--state-file <path>]\n\
\x20 action list [--status <s>] [--provider <p>] [--state-file <path>] [-o table|json|yaml]\n\
\x20 action show <id> [--state-file <path>] [-o table|json|yaml]\n\
\x20 action approve <id> [--by <name>] [--state-file <path>]\n\
\x20 action execute <id> --dry-run|--approved [--config <path>] [--state-file <path>]\n\
\x20 action journal [--state-file <path>] [-o table|json|yaml]\n\
\x20 action rollback <id> --dry-run|--approved [--config <path>] [--state-file <path>]\n\
\x20 vpn wireguard list [-o table|json|yaml]\n\
\x20 vpn wireguard show <interface> [-o table|json|yaml]\n\
\x20 vpn tailscale peers [-o table|json|yaml] [--binary tailscale]\n\
\x20 doctor [area] [--probe <subject>] [--socket <path>] [-o table|json|yaml]\n\
\x20 ingress drain ingress/<service> backend=<name> [--duration 10m] [--state-file <path>]\n\
\x20 ingress undrain ingress/<service> backend=<name> [--state-file <path>]\n\
\x20 validate [-f <file|-] [--socket <path>] [--replace]\n\
\x20 plan [-f <file|-] [--socket <path>] [--replace]\n\
\x20 apply -f <file|-> [--socket <path>] [--replace] [--no-reconcile]\n\
\x20 delete <kind>/<name> [--socket <path>] [--dry-run] [--force] [--api-version <version>] [--no-reconcile]\n\
\x20 rollback [--list] [--to <generation>] [--socket <path>] [--state-file <path>] [--no-reconcile]\n\
\x20 adopt --candidates|--apply [--config <path>] [--ledger-file <path>]\n\
\x20 log-level <debug|info|warning|error|default> [--socket <path>]\n\
\x20 restart dns-resolver [name] [--config <path>]\n\
";

pub const ACTION: &str = "\
usage: routerctl action <subcommand> [options]\n\
\n\
subcommands:\n\
\x20 import [--config <path>] [--state-file <path>]\n\
\x20 list [--status <s>] [--provider <p>] [--state-file <path>] [-o table|json|yaml]\n\
\x20 show <id> [--state-file <path>] [-o table|json|yaml]\n\
\x20 approve <id> [--by <name>] [--state-file <path>]\n\
\x20 execute <id> --dry-run|--approved [--config <path>] [--state-file <path>]\n\
\x20 journal [--state-file <path>] [-o table|json|yaml]\n\
\x20 rollback <id> --dry-run|--approved [--config <path>] [--state-file <path>]\n\
";

pub const PLUGIN: &str = "\
usage: routerctl plugin <subcommand> [options]\n\
\n\
subcommands:\n\
\x20 list [--config <path>] [-o table|json|yaml]\n\
\x20 run <name> [--dry-run] [--config <path>] [--state-file <path>] [-o table|json|yaml]\n\
";

pub const DYNAMIC: &str = "\
usage: routerctl dynamic <subcommand> [options]\n\
\n\
subcommands:\n\
\x20 list [--state-file <path>] [-o table|json|yaml]\n\
\x20 describe <source> [--state-file <path>] [-o table|json|yaml]\n\
\x20 render [--config <path>] [--state-file <path>] [-o yaml|json]\n\
\x20 diff [--config <path>] [--state-file <path>] [-o text|json]\n\
";

pub const MOBILITY: &str = "\
usage: routerctl mobility <command> [options]\n\
\n\
commands:\n\
\x20 owners [--pool <name>] [--address <ipv4/32>] [--state-file <path>] [-o table|json|yaml]\n\
\x20 explain --pool <name> --address <ipv4/32> [--state-file <path>] [-o table|json|yaml]\n\
\x20 paths [--prefix <prefix>] [--state-file <path>] [-o table|json|yaml]\n\
\x20 traps [--address <ipv4/32>] [--state-file <path>] [-o table|json|yaml]\n\
\x20 enrollment-hmac --config <path> --claim <name> (--secret-file <path>|--secret-env <name>|--secret <value>) [--secret-base64] [--show-payload]\n\
\x20 enrollment-submit --config <path> --claim <name> [--socket <path>] [-o table|json|yaml]\n\
\x20 enrollment-revoke --claim <name> [--rr-socket <path>|--rr-url <url>] [--rr-token-file <path>|--rr-token-env <name>] [--rr-ca-file <path>] [--rr-client-cert-file <path> --rr-client-key-file <path>] [-o table|json|yaml]\n\
\x20 leaf-config --leaf-id <name> --underlay-ifname <ifname> --underlay-address <cidr> --local-endpoint <ip> --endpoint-prefix <cidr> --inner-prefix <cidr> --tunnel-address <ipv4/32> --mobility-prefix <cidr> [--owned-address <ipv4/32>] --rr-set <name> [--direct-peer-group <name> --rr-local-preference 100 --direct-local-preference 200] --policy <name> --join-audience <name> --bootstrap-endpoint <url>\n\
";

pub const GET: &str = "\
Usage:\n\
\x20 routerctl get <subject|kind[/name]> [--socket <path>] [--limit <n>] [-o table|json|yaml]\n\
\n\
Flags:\n\
\x20 -o, --output <format>       output format: table, json, yaml\n\
\x20     --socket <path>         routerd read-only status Unix domain socket path\n\
\x20     --timeout <duration>    request timeout\n\
\x20     --limit <n>             maximum rows for runtime subjects\n\
\x20     --events-limit <n>      recent per-resource events in resource views\n\
\x20     --since <id>            events with id greater than this value\n\
\x20     --topic <topic>         event topic filter\n\
\x20     --resource <kind/name>  event resource filter\n\
\x20     --kind <kind>           event kind filter\n\
\x20     --name <name>           event name filter\n\
\n\
Examples:\n\
\x20 routerctl get status -o json\n\
\x20 routerctl get Interface/wan\n\
\x20 routerctl get events --topic routerd.resource.status.changed --limit 20\n\
\x20 routerctl get connections\n\
\x20 routerctl get dns-queries\n\
\x20 routerctl get traffic-flows\n\
\x20 routerctl get firewall-logs\n\
";

pub const DESCRIBE: &str = "\
Usage:\n\
\x20 routerctl describe <kind>/<name> [--socket <path>] [--events-limit <n>] [-o table|json|yaml]\n\
\n\
Flags:\n\
\x20 -o, --output <format>    output format: table, json, yaml\n\
\x20     --socket <path>      routerd read-only status Unix domain socket path\n\
\x20     --timeout <duration> request timeout\n\
\x20     --events-limit <n>   recent events to include\n\
\n\
Examples:\n\
\x20 routerctl describe Interface/wan\n\
\x20 routerctl describe pd/wan-pd -o yaml\n\
";
