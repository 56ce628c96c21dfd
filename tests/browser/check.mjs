// Opens pages of `mmfnd report` in headless Chromium, at two widths, light, dark and in print, and ends with 1 if anything is wrong:
// a word in the console, a request, figures without marks, text over text or out of its box, tables that do not sort, what axe-core finds.
import { createRequire } from "node:module";
import { existsSync, mkdirSync, readFileSync, statSync } from "node:fs";
import { basename, dirname, join, resolve } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";

const [tools, ...pages] = process.argv.slice(2).map(path => resolve(path));
const require = createRequire(join(tools, "package.json"));
const { chromium } = require("playwright-core");
const axe = readFileSync(require.resolve("axe-core/axe.min.js"), "utf8");
const inside = readFileSync(join(dirname(fileURLToPath(import.meta.url)), "inside.js"), "utf8");
const shots = join(tools, "shots");
mkdirSync(shots, { recursive: true });

const WAYS = [
  { name: "wide-light", width: 1440, colours: "light" },
  { name: "wide-dark", width: 1440, colours: "dark" },
  { name: "narrow-light", width: 390, colours: "light" },
  { name: "narrow-dark", width: 390, colours: "dark" },
  // A4 without its margins, at 96 pixels an inch
  { name: "print", width: 688, colours: "light", media: "print" },
];
const MOST = 12;

const places = [process.env.MMFND_CHROMIUM, "/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome"];
const program = places.find(place => place && existsSync(place));
if (!program) throw new Error("no Chromium; install it (Debian: chromium) or name it with MMFND_CHROMIUM");

let faults = 0;
const say = (where, wrong) => {
  if (wrong.length === 0) return;
  faults += wrong.length;
  console.log(`${where}: ${wrong.length} faults`);
  for (const line of wrong.slice(0, MOST)) console.log(`  ${line}`);
  if (wrong.length > MOST) console.log(`  and ${wrong.length - MOST} more`);
};

// The page in one way; what it says or asks for is a fault.
const open = async (browser, file, { width, colours, media = "screen" }, more = {}) => {
  const context = await browser.newContext({ viewport: { width, height: 900 }, colorScheme: colours, reducedMotion: "reduce", acceptDownloads: true, ...more });
  const page = await context.newPage();
  const wrong = [];
  const url = pathToFileURL(file).href;
  page.on("console", message => wrong.push(`console: ${message.text()}`));
  page.on("pageerror", error => wrong.push(`error: ${error.message}`));
  page.on("request", request => {
    if (request.url() !== url && !request.url().startsWith("blob:")) wrong.push(`request: ${request.url()}`);
  });
  await page.emulateMedia({ media, colorScheme: colours, reducedMotion: "reduce" });
  await page.goto(url, { waitUntil: "load" });
  return { context, page, wrong };
};

const violations = async page => {
  const found = await page.evaluate(async () => (await axe.run(document, { resultTypes: ["violations"] })).violations.map(({ id, help, nodes }) => ({ id, help, places: nodes.map(node => `${node.target.join(" ")} ${node.any[0]?.message ?? ""}`) })));
  return found.flatMap(({ id, help, places }) => places.map(place => `axe ${id} (${help}): ${place}`));
};

const buttons = async page => {
  const wrong = [];
  const saves = page.locator("figure button", { hasText: "Save SVG" });
  if ((await saves.count()) !== (await page.locator("figure").count())) wrong.push("figures without “Save SVG”");
  if (await saves.count()) {
    const download = page.waitForEvent("download", { timeout: 10_000 });
    await saves.first().click();
    const file = await download.then(download => download.path(), () => null);
    const svg = file ? readFileSync(file, "utf8") : "";
    if (!svg.startsWith("<svg") || svg.includes("var(--")) wrong.push(`“Save SVG” saves ${svg.slice(0, 80)}`);
  }
  await page.locator("button", { hasText: "Copy as TSV" }).first().click();
  const said = page.locator("#said", { hasText: "Copied." }).waitFor({ state: "attached", timeout: 10_000 });
  await said.catch(() => wrong.push("“Copy as TSV” does not say that it did"));
  return wrong;
};

// What the file beside the page says that it shows.
const counted = (file, page) => {
  const text = readFileSync(file.replace(/html$/, "json"), "utf8");
  const count = found => (Array.isArray(found) ? found : Object.values(found)).reduce((sum, inner) => sum + (inner && typeof inner === "object" ? count(inner) : 0), "description" in found && "data" in found ? 1 : 0);
  const expected = count(JSON.parse(text));
  return page.locator("figure svg").count().then(shown => (shown === expected ? [] : [`${shown} figures, and ${expected} in the file beside it`]));
};

const look = async (browser, file, way) => {
  const { context, page, wrong } = await open(browser, file, way);
  const name = basename(file, ".html");
  await page.evaluate(axe);
  await page.evaluate(inside);
  wrong.push(...(await page.evaluate(() => window.mmfndLayout())));
  wrong.push(...(await violations(page)), ...(await counted(file, page)));
  await page.screenshot({ path: join(shots, `${name}-${way.name}.png`), fullPage: true });
  if (way.media === "print") await page.pdf({ path: join(shots, `${name}.pdf`), format: "A4" });
  else {
    await page.evaluate(() => document.querySelectorAll("details").forEach(details => (details.open = true)));
    wrong.push(...(await page.evaluate(() => window.mmfndLayout())).map(line => `opened: ${line}`));
    wrong.push(...(await violations(page)).map(line => `opened: ${line}`));
    wrong.push(...(await page.evaluate(() => window.mmfndSort())));
    wrong.push(...(await buttons(page)));
  }
  say(`${name} ${way.name}`, wrong);
  await context.close();
};

// Without its script the page says the same, but for the buttons.
const silent = async (browser, file) => {
  const said = async more => {
    const { context, page, wrong } = await open(browser, file, WAYS[0], more);
    const text = await page.locator("main").innerText();
    await context.close();
    return { wrong, text: text.replace(/Copy as TSV|Save SVG|\s+/g, "") };
  };
  const [with_, without] = [await said({}), await said({ javaScriptEnabled: false })];
  const same = with_.text === without.text ? [] : ["without its script the page says something else"];
  say(`${basename(file)} without script`, [...without.wrong, ...same]);
};

const browser = await chromium.launch({ executablePath: program, args: ["--no-sandbox", "--disable-gpu"] });
for (const file of pages) {
  for (const way of WAYS) await look(browser, file, way);
  await silent(browser, file);
  console.log(`${basename(file)}: ${Math.round(statSync(file).size / 1000)} kB, looked at in ${WAYS.length} ways with ${browser.version()}`);
}
await browser.close();
if (pages.length === 0) throw new Error("name a page");
process.exit(faults ? 1 : 0);
