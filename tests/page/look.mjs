// Looks at pages of runs in chromium: nothing is asked for and nothing said on the console, axe finds no
// violation in both themes, the keyboard opens a check, it prints, and above "Who acts" ten questions are
// answered to whoever has the accessibility tree alone.
import { createRequire } from "node:module";
import fs from "node:fs";
import path from "node:path";
import { pathToFileURL } from "node:url";
const require = createRequire(path.join(process.env.LAB_SMOKE_NODE_MODULES, "x.js"));
const puppeteer = require("puppeteer-core");
const axe = fs.readFileSync(require.resolve("axe-core/axe.min.js"), "utf8");
// Where pictures are kept for people, if anywhere.
const shots = process.env.LAB_SMOKE_SHOTS;
const browser = await puppeteer.launch({ executablePath: process.env.LAB_SMOKE_CHROMIUM ?? "/usr/bin/chromium", args: ["--no-sandbox"] });
let bad = 0;
const say = (...words) => { bad += 1; console.error(...words); };

/// The text of the accessibility tree, down to the heading "Who acts".
async function above(page) {
  const words = [];
  const walk = (node) => {
    if (node.role === "heading" && node.name === "Who acts") return false;
    if (node.name) words.push(node.name);
    return (node.children ?? []).every(walk);
  };
  const whole = walk(await page.accessibility.snapshot({ interestingOnly: false }));
  return { text: words.join(" "), found: !whole };
}

/// What each question's answer has to say, by the evidence beside the page.
function answers(evidence) {
  const asking = ["awaiting-go", "parked"].includes(evidence.verdict.verdict);
  const target = evidence.target;
  const ends = evidence.teardown.filter((it) => it.for_good);
  return {
    "which lab": [target.account_id, target.region, target.network_interface_id],
    "who asks": [evidence.run.tool.name, evidence.operator?.caller ?? "the operator"],
    "what changes": evidence.changes.length ? [...evidence.changes.map((it) => it.resource), "source/destination check"] : ["Nothing was asked for"],
    "what ends for good": ends.length ? ends.map((it) => it.resource) : [evidence.undo_plan ? "Nothing ends for good" : "Nothing was asked for"],
    "what it costs": asking ? ["Goes on costing", "Instance time"] : ["Left behind", "Instance time"],
    "who may say yes, until when": asking ? [...target.principals, "Until when", "24 hours"] : ["The go"],
    "how to say yes": asking ? ["lab-smoke go RUN"] : ["The go"],
    "how to say no": asking ? ["lab-smoke recover RUN"] : ["The go"],
    "is it as before": asking ? ["Changed so far"] : ["Lab as before?"],
    "what must I do": asking ? ["Decide"] : evidence.next.length ? ["What you have to do", ...evidence.next.map((it) => it.argv[0])] : [/What you have to do|You have nothing to do/],
  };
}

for (const file of process.argv.slice(2)) {
  for (const theme of ["light", "dark"]) {
    const page = await browser.newPage();
    page.on("console", (it) => say(file, theme, "console:", it.text()));
    page.on("pageerror", (it) => say(file, theme, "error:", it.message));
    page.on("request", (it) => { if (it.url() !== pathToFileURL(path.resolve(file)).href) say(file, "asks for", it.url()); });
    await page.setViewport({ width: 1020, height: 1400 });
    await page.emulateMediaFeatures([{ name: "prefers-color-scheme", value: theme }]);
    await page.goto(pathToFileURL(path.resolve(file)).href);
    if (shots) await page.screenshot({ path: path.join(shots, `${path.basename(path.dirname(path.resolve(file)))}-${theme}.png`), fullPage: true });
    const session = await page.createCDPSession();
    await page.evaluate(axe);
    const found = await page.evaluate(() => axe.run(document, { resultTypes: ["violations"] }));
    for (const it of found.violations) say(file, theme, "axe:", it.id, it.help, it.nodes.slice(0, 3).map((n) => n.html.slice(0, 160)).join(" | "));
    const wide = await page.evaluate(() => document.documentElement.scrollWidth > document.documentElement.clientWidth);
    if (wide) say(file, theme, "is wider than the window");
    if (theme === "light") {
      const { text, found } = await above(page);
      if (!found) say(file, "has no heading Who acts");
      const beside = path.join(path.dirname(path.resolve(file)), "evidence.json");
      for (const [question, all] of Object.entries(answers(JSON.parse(fs.readFileSync(beside))))) {
        for (const it of all) {
          if (!(it instanceof RegExp ? it.test(text) : text.includes(it))) say(file, "does not answer", question, "with", String(it));
        }
      }
      await page.focus("summary");
      await page.keyboard.press("Enter");
      const opened = await page.evaluate(() => document.activeElement.parentElement.open);
      if (opened === undefined) say(file, "a check does not open by the keyboard");
      const pdf = await page.pdf({ format: "A4", path: shots ? path.join(shots, `${path.basename(path.dirname(path.resolve(file)))}.pdf`) : undefined });
      if (pdf.length < 10000) say(file, "prints nothing");
    }
    await page.close();
  }
  const size = fs.statSync(file).size;
  if (size >= 100000) say(file, "has", size, "bytes");
  console.log(file, size, "bytes");
}
await browser.close();
process.exit(bad ? 1 : 0);
