// The style of a device's page, made for phones first. The page's policy forbids style sheets by address and in the
// document; one that a script makes is the script's.

const CSS = `
:root {
  color-scheme: light dark;
  --ground: #f6f7f9; --card: #fff; --text: #16181d; --quiet: #5b6270; --line: #dde1e7;
  --connected: #1f6feb; --running: #9a5b00; --done: #1a7f37; --failed: #c4242b; --off: #5b6270;
}
@media (prefers-color-scheme: dark) {
  :root {
    --ground: #0f1115; --card: #191c22; --text: #eceef2; --quiet: #a0a8b5; --line: #2c313a;
    --connected: #6cb0ff; --running: #f0b450; --done: #5fd07d; --failed: #ff8a85; --off: #a0a8b5;
  }
}
* { box-sizing: border-box; margin: 0; }
body {
  background: var(--ground); color: var(--text);
  font: 17px/1.45 system-ui, -apple-system, 'Segoe UI', Roboto, 'Noto Sans', sans-serif;
  padding: max(20px, env(safe-area-inset-top)) max(16px, env(safe-area-inset-right)) 32px
    max(16px, env(safe-area-inset-left));
}
main { max-width: 34rem; margin: 0 auto; }
h1 { font-size: 1rem; font-weight: 600; letter-spacing: .02em; color: var(--quiet); margin-bottom: 12px; }
h2 { font-size: .85rem; font-weight: 600; color: var(--quiet); margin: 28px 4px 8px; }
#card { background: var(--card); border: 1px solid var(--line); border-radius: 16px; padding: 22px 20px; }
#card, #runs li { --state: var(--off); }
[data-state=connected] { --state: var(--connected) !important; }
[data-state=running] { --state: var(--running) !important; }
[data-state=done] { --state: var(--done) !important; }
[data-state=failed], [data-state=lost], [data-state=refused] { --state: var(--failed) !important; }
#state { font-size: 1.9rem; font-weight: 700; line-height: 1.2; color: var(--state); }
#state::before {
  content: ''; display: inline-block; width: .55em; height: .55em; margin-right: .4em; border-radius: 50%;
  background: currentColor; vertical-align: .07em;
}
[data-state=running] #state::before { animation: pulse 1.2s ease-in-out infinite; }
@keyframes pulse { 50% { opacity: .25; } }
@media (prefers-reduced-motion: reduce) { [data-state=running] #state::before { animation: none; } }
#name { font: 600 1.05rem ui-monospace, 'SF Mono', Menlo, Consolas, monospace; margin-top: 10px; overflow-wrap: anywhere; }
#hint, #notice { color: var(--quiet); margin-top: 10px; overflow-wrap: anywhere; }
#name:empty, #hint:empty, #notice:empty { display: none; }
#notice { font-size: .92rem; margin: 20px 4px 0; }
#runs { list-style: none; padding: 0; }
#runs li {
  background: var(--card); border: 1px solid var(--line); border-left: 5px solid var(--state); border-radius: 10px;
  padding: 10px 14px; margin-bottom: 8px; overflow-wrap: anywhere;
}
#runs b { font-weight: 600; }
#runs span { color: var(--state); font-weight: 600; float: right; margin-left: 12px; }
#runs small { display: block; font-size: .88rem; color: var(--quiet); }
#runs small:empty { display: none; }
/* Not display: none, in which browsers give a page no animation frames. */
#frames iframe { position: fixed; left: 0; bottom: 0; width: 2px; height: 2px; border: 0; opacity: 0; pointer-events: none; }
`;

/** Browsers that cannot have it show the page plainly. */
export function style() {
  try {
    const sheet = new CSSStyleSheet();
    sheet.replaceSync(CSS);
    document.adoptedStyleSheets = [sheet];
  } catch {
    // Safari before 16.4
  }
}
