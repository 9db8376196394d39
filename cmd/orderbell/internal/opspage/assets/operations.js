// The operations page: it asks for the state each second, and shows it. The answers are those of state.go.

const askAgain = 1000;
const answerLimit = 10_000;

/** What belongs to a hop: the programs and queues whose probes have these names, and what its time is. */
const hops = {
  order: { programs: ['order-api'], queues: [], what: 'the request to order-api' },
  outbox: {
    programs: ['outbox-relay'],
    queues: [['unsent', 'unsent']],
    what: 'from the change to Kafka’s acknowledgement',
  },
  kafka: {
    programs: [],
    queues: [
      ['lag of order-created', 'created waiting'],
      ['lag of order-paid', 'paid waiting'],
      ['lag of order-status-updated', 'status waiting'],
    ],
    what: 'until the function takes it',
  },
  function: {
    programs: ['order-created', 'order-paid', 'order-status-updated'],
    queues: [['dead letters', 'dead letters']],
    what: 'the transaction in PostgreSQL',
  },
  redis: { programs: [], queues: [], what: 'the publication' },
  gateway: { programs: ['sse-gateway'], queues: [], what: 'into the sockets' },
  browser: {
    programs: [],
    queues: [['to screen', 'not on screen']],
    what: 'to a client of this page, or to pixels',
  },
  mail: { programs: ['delivery-sweeper'], queues: [['due mails', 'due']], what: 'to the mail server' },
};

const byId = (id) => document.getElementById(id);

/** Makes an element with attributes and children. */
function element(name, attributes = {}, ...children) {
  const svg = name === 'svg' || name === 'rect';
  const made = svg
    ? document.createElementNS('http://www.w3.org/2000/svg', name)
    : document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  made.append(...children);
  return made;
}

/** Sets a text only where it differs, so that a selection and a screen reader are left alone. */
function setText(node, text) {
  if (node.textContent !== text) node.textContent = text;
}

const number = new Intl.NumberFormat('en');
const clock = new Intl.DateTimeFormat('en-GB', { hour: '2-digit', minute: '2-digit', second: '2-digit' });
const time = (at) => clock.format(new Date(at));

function duration(ms) {
  if (ms < 10) return `${ms.toFixed(1)} ms`;
  return ms < 1000 ? `${ms.toFixed(0)} ms` : `${(ms / 1000).toFixed(1)} s`;
}

const count = (n, one, many) => `${number.format(n)} ${n === 1 ? one : many}`;

/** Sends an action. Returns its answer; what went wrong is said on the page. */
async function act(path, body) {
  try {
    const response = await fetch(path, {
      method: 'POST',
      headers: { 'Content-Type': 'application/json' },
      body: JSON.stringify(body),
    });
    const answer = await response.json();
    if (response.ok) return answer;
    throw new Error(answer.detail ?? answer.title ?? `status ${response.status}`);
  } catch (err) {
    complain(`That did not work: ${err.message}`);
    return undefined;
  } finally {
    void refresh();
  }
}

let complaint;
function complain(text) {
  clearTimeout(complaint);
  byId('lost').textContent = text;
  byId('lost').hidden = false;
  complaint = setTimeout(() => {
    byId('lost').hidden = true;
  }, 15_000);
}

/** Says once what has changed, for a screen reader. */
const said = new Map();
function say(key, text) {
  if (said.get(key) === text) return;
  const first = !said.has(key);
  said.set(key, text);
  if (!first) byId('said').textContent = text;
}

/** Fills a list if its content has changed. The focus stays on the element of the same id. */
const filled = new Map();
function fill(id, items, row) {
  const content = JSON.stringify(items);
  if (filled.get(id) === content) return;
  filled.set(id, content);
  const focused = document.activeElement?.id;
  byId(id).replaceChildren(...items.map(row));
  if (focused) byId(focused)?.focus();
  byId(`no-${id}`).hidden = items.length > 0;
}

function disable(button, disabled) {
  button.setAttribute('aria-disabled', String(disabled)); // it keeps the focus
}

const enabled = (button) => button.getAttribute('aria-disabled') !== 'true';

// The hops.

for (const [name, hop] of Object.entries(hops)) {
  const card = document.querySelector(`[data-hop="${name}"]`);
  const title = card.querySelector('h3');
  const head = element('div', { class: 'head' });
  title.replaceWith(head);
  head.append(title, element('span', { class: 'state' }, '…'));
  card.append(element('p', { class: 'took' }, '–'), element('p', { class: 'what' }, hop.what));
  for (const [key] of hop.queues) card.append(element('p', { class: 'queue', 'data-queue': key }));
  card.append(element('p', { class: 'what why', hidden: '' }));
  const part = card.dataset.part;
  if (part === undefined) continue;
  const button = element('button', { type: 'button' }, 'Break');
  button.addEventListener('click', () => {
    if (!enabled(button)) return;
    void act(card.dataset.state === 'broken' ? '/repair' : '/break', { part });
  });
  card.append(button);
}

/** The state of a hop, and why: that of the part that was broken, else that of its programs. */
function stateOf(hop, fault, parts, at) {
  if (fault !== undefined && fault.state !== 'up') {
    const left = Math.max(0, Math.ceil((new Date(fault.repairs_at ?? at) - new Date(at)) / 1000));
    return [fault.state, fault.state === 'broken' ? `Repairs itself in ${left} s.` : ''];
  }
  const down = hop.programs.map((p) => parts.get(p)).find((p) => p?.state === 'not ready');
  if (down !== undefined) return ['not ready', `${down.name} is not ready.`];
  return ['up', fault?.why ? `Cannot be broken: ${fault.why}.` : ''];
}

function showHop(name, hop, state) {
  const card = document.querySelector(`[data-hop="${name}"]`);
  const parts = new Map(state.parts.map((p) => [p.name, p]));
  const fault = state.faults.find((f) => f.name === card.dataset.part);
  const [now, why] = stateOf(hop, fault, parts, state.at);
  card.dataset.state = now;
  setText(card.querySelector('.state'), now);
  say(name, `${card.querySelector('h3').textContent} is ${now}`);
  card.querySelector('.why').hidden = why === '';
  setText(card.querySelector('.why'), why);
  const button = card.querySelector('button');
  if (button !== null) {
    setText(button, `${now === 'broken' ? 'Repair' : 'Break'} ${fault.title}`);
    disable(button, Boolean(fault.why) || fault.state === 'repairing');
  }
  const leg = state.traces.flatMap((t) => t.legs).find((l) => l.hop === name);
  if (leg !== undefined) setText(card.querySelector('.took'), duration(leg.took_ms)); // else the last one stays
  for (const [key, label] of hop.queues) showQueue(card, label, key, backlog(key, parts.get(key), state));
}

function showQueue(card, label, key, [waiting, oldest]) {
  const line = card.querySelector(`[data-queue="${key}"]`);
  line.dataset.waiting = waiting > 0 ? 'some' : 'none';
  const age = oldest > 0 ? `, for ${duration(oldest * 1000)}` : '';
  setText(line, waiting === undefined ? `${label}: not known` : `${label}: ${number.format(waiting)}${age}`);
}

/** What waits at a hop, and for how many seconds. */
function backlog(key, part, state) {
  if (key === 'dead letters') return [state.open_dead_letters];
  if (key === 'to screen') return [state.tally && state.tally.made - state.tally.seen];
  return [part?.waiting, part?.oldest_seconds];
}

// The numbers.

function showCounts(state) {
  const tally = state.tally;
  setText(byId('made'), tally ? number.format(tally.made) : '–');
  setText(byId('inbox'), tally ? number.format(tally.in_inbox) : '–');
  setText(byId('seen'), tally ? number.format(tally.seen) : '–');
  setText(byId('mailed'), tally ? `${number.format(tally.mailed)} / ${number.format(tally.mails)}` : '–');
  const way = state.on_the_way;
  byId('way').dataset.way = way === undefined ? 'unknown' : way === 0 ? 'none' : 'some';
  setText(byId('on-the-way'), way === undefined ? '–' : number.format(way));
  say('way', way === 0 ? 'Nothing is on the way' : 'Something is on the way');
  if (tally) {
    const aside = [
      `Events of the demo businesses since ${time(state.since)}`,
      `${count(tally.notifications, 'notification', 'notifications')} in the inboxes`,
    ];
    if (tally.deferred_mails > 0)
      aside.push(`${count(tally.deferred_mails, 'mail waits', 'mails wait')} for the end of quiet hours`);
    if (tally.given_up_mails > 0)
      aside.push(`${count(tally.given_up_mails, 'mail is', 'mails are')} not sent, each for a reason`);
    setText(byId('counted'), `${aside.join(' · ')}.`);
  }
  disable(byId('verify'), way !== 0 || verifying);
  showSpike(state.spike);
  showVerdict(state.verdict, way);
}

function showSpike(spike) {
  byId('spike-row').hidden = spike === undefined;
  disable(byId('spike').querySelector('button'), spike?.running === true);
  if (spike === undefined) return;
  byId('spike-bar').max = spike.payments;
  byId('spike-bar').value = spike.done;
  const refused = spike.refused > 0 ? `, ${count(spike.refused, 'request', 'requests')} refused` : '';
  const error = spike.error ? `: ${spike.error}` : '';
  const text = `${number.format(spike.done)} of ${count(spike.payments, 'payment', 'payments')}${refused}${error}`;
  setText(byId('spike-text'), text);
  say('spike', spike.running ? 'The spike is running' : `The spike is over: ${text}`);
}

function showVerdict(verdict, way) {
  byId('verdict').hidden = verdict === undefined;
  if (verdict === undefined) return;
  const clean = verdict.offenders_in_all === 0 && verdict.skipped.length === 0;
  byId('verdict').dataset.verdict = !clean ? 'bad' : way === 0 ? 'clean' : 'old';
  const looked = `${count(verdict.looked_at, 'row', 'rows')} of all stores compared at ${time(verdict.at)}`;
  const lines = [`Nothing is lost, and nothing is duplicated: ${looked}.`];
  if (!clean) {
    lines[0] = `${count(verdict.offenders_in_all, 'offender', 'offenders')}: ${looked}.`;
    for (const o of verdict.offenders) lines.push(`${o.check}, event ${o.event_id ?? '–'}: ${o.problem}`);
    for (const s of verdict.skipped) lines.push(`Skipped: ${s}`);
  }
  setText(byId('verdict'), lines.join('\n'));
  say('verdict', lines[0]);
}

// The lists.

function traceRow(trace) {
  const whole = Math.max(trace.took_ms, 0.001);
  const legs = trace.legs.flatMap((leg) => {
    const bar = element('svg', { viewBox: '0 0 100 10', preserveAspectRatio: 'none', 'aria-hidden': 'true' });
    const width = Math.max((leg.took_ms / whole) * 100, 0.6);
    const x = Math.min((leg.start_ms / whole) * 100, 100 - width);
    bar.append(element('rect', { x: String(x), y: '0', width: String(width), height: '10' }));
    const failed = leg.failed ? ' failed' : '';
    const tries = leg.tries > 1 ? ` ×${leg.tries}` : '';
    return [
      element('dt', {}, leg.hop),
      element('dd', { class: `bar${failed}` }, bar),
      element('dd', {}, `${duration(leg.took_ms)}${tries}${leg.failed ? ' failed' : ''}`),
    ];
  });
  const head = element('div', { class: 'trace-head' });
  head.append(
    element('strong', {}, trace.change || trace.trace_id),
    `${time(trace.at)}, ${duration(trace.took_ms)}`,
  );
  return element('li', {}, head, element('dl', { class: 'legs' }, ...legs));
}

function mailRow(mailpit) {
  return (mail) => {
    const link = element('a', {
      id: `mail-${mail.id}`,
      href: `${mailpit}/view/${mail.id}`,
      target: '_blank',
      rel: 'noreferrer',
    });
    link.append(mail.subject || '(no subject)');
    return element('li', {}, link, element('span', { class: 'faint' }, `${mail.to} · ${time(mail.at)}`));
  };
}

function letterRow(letter) {
  const button = element('button', { type: 'button', id: `letter-${letter.id}` }, `Redrive ${letter.id}`);
  disable(button, Boolean(letter.obstacle));
  button.addEventListener('click', () => {
    if (enabled(button)) void act('/redrive', { letter: letter.id });
  });
  const where = [letter.type, letter.tenant_id, time(letter.buried_at)].filter(Boolean).join(' · ');
  const row = element(
    'li',
    {},
    element('strong', {}, letter.reason),
    element('span', { class: 'faint' }, where),
  );
  if (letter.obstacle)
    row.append(element('span', { class: 'faint' }, `Cannot be redriven: ${letter.obstacle}`));
  row.append(button);
  return row;
}

// The state, again and again while the page is in sight.

let asking = false;
async function refresh() {
  if (asking) return;
  asking = true;
  try {
    const response = await fetch('/state', { signal: AbortSignal.timeout(answerLimit) });
    if (!response.ok) throw new Error(`status ${response.status}`);
    show(await response.json());
    if (document.body.dataset.state === 'stale') byId('lost').hidden = true;
    document.body.dataset.state = 'current';
  } catch (err) {
    document.body.dataset.state = 'stale';
    complain(`orderbell dev does not answer (${err.message}). What is below is old.`);
  } finally {
    asking = false;
  }
}

function show(state) {
  if (byId('shop').getAttribute('href') !== state.origin) byId('shop').setAttribute('href', state.origin);
  for (const [name, hop] of Object.entries(hops)) showHop(name, hop, state);
  showCounts(state);
  fill('traces', state.traces, traceRow);
  // A broken mail server shows no mails: the last ones stay.
  const smtp = state.faults.find((f) => f.name === 'smtp');
  if (smtp === undefined || smtp.state === 'up') fill('mails', state.mails, mailRow(state.mailpit ?? ''));
  setText(
    byId('no-mails'),
    state.mailpit ? 'No mail has been caught.' : 'MAILPIT_URL is not set: mails are not known here.',
  );
  fill('letters', state.dead_letters, letterRow);
}

byId('spike').addEventListener('submit', (event) => {
  event.preventDefault();
  if (!enabled(byId('spike').querySelector('button'))) return;
  void act('/spike', { payments: byId('payments').valueAsNumber });
});

let verifying = false;
byId('verify').addEventListener('click', async () => {
  if (!enabled(byId('verify'))) return;
  verifying = true;
  disable(byId('verify'), true);
  await act('/verify', {});
  verifying = false;
  void refresh();
});

document.addEventListener('visibilitychange', () => void refresh());
setInterval(() => {
  if (document.visibilityState === 'visible') void refresh();
}, askAgain);
void refresh();
