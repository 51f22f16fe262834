//! `lab-smoke lab`: a kernel lab by itself.

use ::lab::clock::Clock;
use ::lab::node::Node;
use lab_netns::Conclusion;
use reports::verdict::ExitCode;

use super::{kernel_lab_list, refuse};
use crate::cli::NetnsCommand;
use crate::labs::{NetnsError, find_kernel_lab, folder_id, make_kernel_lab, real_time};
use crate::terminal::Terminal;

pub fn run_netns_command(command: &NetnsCommand, terminal: &Terminal) -> u8 {
    match answer(command, terminal) {
        Ok(code) => code,
        Err(error @ (NetnsError::Up(_) | NetnsError::Spent { .. })) => {
            refuse(ExitCode::Unavailable, error, terminal)
        }
        Err(error) => refuse(ExitCode::Usage, error, terminal),
    }
}

fn answer(command: &NetnsCommand, terminal: &Terminal) -> Result<u8, NetnsError> {
    match command {
        NetnsCommand::Up { kind: _, make: args, time_to_live, outliving_volume } => {
            let folder = make_kernel_lab(args, *time_to_live, *outliving_volume)?;
            terminal.out(&format!("{}\n", folder_id(&folder)));
        }
        NetnsCommand::List => {
            terminal.out(&real_time()?.block_on(kernel_lab_list::list_kernel_labs())?);
        }
        NetnsCommand::Down { id } => {
            let folder = find_kernel_lab(id.as_deref())?;
            real_time()?.block_on(lab_netns::take_down(&folder, Clock::System))?;
        }
        NetnsCommand::Exec { id, node, words } => {
            let status =
                lab_netns::run_on_node(&find_kernel_lab(id.as_deref())?, parse(node)?, words)?;
            return Ok(status.code().and_then(|code| u8::try_from(code).ok()).unwrap_or(255));
        }
        NetnsCommand::Shell { id, node } => {
            let status =
                lab_netns::run_on_node(&find_kernel_lab(id.as_deref())?, parse(node)?, &[])?;
            return Ok(status.code().and_then(|code| u8::try_from(code).ok()).unwrap_or(255));
        }
        NetnsCommand::Explain { id, from, to } => {
            let walk = real_time()?.block_on(lab_netns::explain_packet(
                &find_kernel_lab(id.as_deref())?,
                *from,
                *to,
            ))?;
            terminal.out(&format!("{walk}\n"));
            if walk.conclusion != Conclusion::Arrived {
                return Ok(ExitCode::Fail.number());
            }
        }
    }
    Ok(ExitCode::Pass.number())
}

fn parse(name: &str) -> Result<Node, NetnsError> {
    let node = Node::ALL.into_iter().find(|node| node.as_str() == name);
    node.ok_or_else(|| NetnsError::NoNode(name.to_owned()))
}
