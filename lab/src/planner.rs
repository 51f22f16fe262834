//! `lab-planner`: the harness's own planner plugin.
