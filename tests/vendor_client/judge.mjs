// The vendor's own client looks at a remote and says, in one JSON document, what it saw.
//
//   node judge.mjs read     one agent: settings, people, keys, memories with media, files, badges
//   node judge.mjs write    one object of each kind is added, changed, read back and deleted
//
// Where to go and as whom stands in the environment: JUDGE_BACKEND, JUDGE_ENGINE, JUDGE_TENANT,
// JUDGE_USER, JUDGE_PASSWORD, JUDGE_AGENT (its name). Whoever started it draws the conclusions.
//
// Plain fetch does what the client cannot: log in by password (its `user` is now the
// password-less set), write a medium (its three writers send GET), show the record of one asset
// (it has no such call) and fetch a file that is not JSON (it parses whatever comes).

import { createHash } from 'node:crypto';
import { isDeepStrictEqual } from 'node:util';
import vendor from '@memori.ai/memori-api-client';

const PAGE = 7;
const TYPES = ['ALL', 'CONTENTS', 'DEFAULTS', 'DRAFTS', 'EXPERT_REFERENCES'];
const SETTINGS = [
  'name', 'description', 'culture', 'voiceType', 'categories', 'privacyType', 'avatarURL',
  'coverURL', 'properties', 'integrations',
];
const ASSIGNED = /ID$|^assetURL$|^creation|^lastChange|^lastRead$|^readOccurrences$/;

const { JUDGE_BACKEND, JUDGE_ENGINE, JUDGE_TENANT, JUDGE_USER, JUDGE_PASSWORD, JUDGE_AGENT } =
  process.env;
const api = vendor.default(JUDGE_BACKEND, JUDGE_ENGINE); // a CommonJS package with a default export
const { BACKEND_URL, ENGINE_URL } = api.constants;

const modes = { read, write };
console.log(JSON.stringify(await modes[process.argv[2]](await enter()), null, 1));

// ---- coming and going

async function enter() {
  const login = ok(
    await call('POST', `${BACKEND_URL}/Login`, {
      tenant: JUDGE_TENANT,
      userName: JUDGE_USER,
      password: JUDGE_PASSWORD,
    })
  );
  const { token } = login;
  const user = ok(await api.backend.user.pwlGetCurrentUser(token)).user;
  const { memori: agents } = ok(await api.backend.memori.getMemoriList(token));
  const { memoriID } = agents.find(agent => agent.name === JUDGE_AGENT);
  const agent = ok(await api.backend.memori.getMemoriById(token, memoriID)).memori;
  const { sessionID, currentState } = ok(
    await api.session.initSession({
      memoriID: agent.engineMemoriID,
      password: agent.secretToken ?? undefined,
      tag: agent.giverTag,
      pin: agent.giverPIN,
      birthDate: '1980-01-01T00:00:00Z',
    })
  );
  const later = ok(await api.session.getSession(sessionID)).currentState;
  return {
    token,
    sessionID,
    agent,
    entry: {
      user: user.userName,
      agents: agents.map(({ name, memoriID, engineMemoriID }) => ({
        name,
        memoriID,
        engineMemoriID,
      })),
      shared: ok(await api.backend.memori.getSharedMemoriList(token)).memori.length,
      state: currentState,
      keepsItsState: isDeepStrictEqual(currentState, later),
    },
  };
}

async function leave({ token, sessionID }) {
  return {
    deleteSession: (await api.session.deleteSession(sessionID)).resultCode,
    getSession: (await api.session.getSession(sessionID)).resultCode,
    logout: (await api.backend.user.pwlUserLogout(token)).resultCode,
    getUser: (await api.backend.user.pwlGetCurrentUser(token)).resultCode,
  };
}

// ---- read

async function read(visit) {
  const { token, sessionID, agent, entry } = visit;
  const differences = [];
  const same = (what, one, other) => isDeepStrictEqual(one, other) || differences.push(what);

  const lists = {
    people: ok(await api.people.getPeople(sessionID)),
    localizationKeys: ok(await api.localizationKeys.getLocalizationKeys(sessionID)),
  };
  for (const type of TYPES) lists[type] = ok(await api.memories.getMemories(sessionID, type));
  const { people } = lists.people;
  const { localizationKeys } = lists.localizationKeys;
  const { memories } = lists.ALL;
  same('pages of memories', await allPages(sessionID), memories);

  for (const person of people) {
    const alone = ok(await api.people.getPerson(sessionID, person.personID)).person;
    same(`person ${person.name}`, alone, person);
  }
  for (const key of localizationKeys) {
    const alone = ok(await api.localizationKeys.getLocalizationKey(sessionID, key.key));
    same(`key ${key.key}`, alone.localizationKey, key);
  }
  for (const memory of memories) {
    const { memoryID, media, title } = memory;
    same(`memory ${title}`, ok(await api.memories.getMemory(sessionID, memoryID)).memory, memory);
    same(`media of ${title}`, ok(await api.media.getMedia(sessionID, memoryID)).media, media);
    for (const medium of media) {
      const alone = ok(await api.media.getMedium(sessionID, memoryID, medium.mediumID)).medium;
      same(`medium ${medium.title}`, alone, medium);
    }
  }

  const { badges } = ok(await api.backend.badge.getUserBadges(token));
  for (const badge of badges) {
    const alone = ok(await api.backend.badge.getBadge(token, badge.badgeID)).badge;
    same(`badge ${badge.name}`, alone, badge);
  }
  const { assets } = ok(await api.backend.asset.getAssetList(token));
  const files = [];
  for (const asset of assets) {
    const details = `${BACKEND_URL}/AssetDetails/${token}/${fileName(asset)}`;
    same(`asset ${label(asset)}`, ok(await call('GET', details)).asset, asset);
    // Other agents' files are not for this session.
    if (asset.memoriID && asset.memoriID !== agent.memoriID) continue;
    const memory = memories.find(({ memoryID }) => memoryID === asset.engineMemoryID);
    files.push({
      ...asset,
      belongsTo: asset.memoriID ? 'agent' : 'account',
      memory: memory?.title ?? null,
      sha256: await sha256(`${BACKEND_URL}/Asset/${fileName(asset)}/${sessionID}`),
    });
  }

  const settings = Object.fromEntries(SETTINGS.map(name => [name, agent[name] ?? null]));
  const seen = { settings, people, localizationKeys, memories, assets: files, badges };
  const lengths = Object.entries(lists).map(([name, answer]) => {
    const list = answer[name] ?? answer.memories;
    return [name, { count: answer.count, length: list.length }];
  });
  return {
    entry,
    counts: Object.fromEntries(lengths),
    differences,
    seen: tidy(named(seen, assets)),
    exit: await leave(visit),
  };
}

async function allPages(sessionID) {
  const memories = [];
  for (;;) {
    const page = ok(
      await api.memories.getMemoriesPaginated(sessionID, memories.length, PAGE, 'ALL')
    );
    memories.push(...page.memories);
    if (page.memories.length === 0 || memories.length >= page.count) return memories;
  }
}

// The URL of an asset holds its ID; in a report its name stands for it, wherever it is mentioned.
function named(report, assets) {
  let text = JSON.stringify(report);
  for (const asset of assets) text = text.replaceAll(asset.assetURL, label(asset));
  return JSON.parse(text);
}

// Without what the remote assigns, fields by name, lists of objects by content. Media and answers
// keep their order, which is data.
function tidy(report) {
  const byText = (one, other) => (JSON.stringify(one) < JSON.stringify(other) ? -1 : 1);
  const lists = Object.entries(without(report));
  return Object.fromEntries(
    lists.map(([name, value]) => [name, Array.isArray(value) ? value.sort(byText) : value])
  );
}

function without(value) {
  if (Array.isArray(value)) return value.map(without);
  if (value === null || typeof value !== 'object') return value;
  const kept = Object.keys(value).filter(name => !ASSIGNED.test(name));
  return Object.fromEntries(kept.sort().map(name => [name, without(value[name])]));
}

// ---- write

async function write(visit) {
  const { token, sessionID, agent, entry } = visit;
  const codes = {}; // of what should succeed
  const gone = {}; // of looking for what was deleted
  const readBacks = []; // what should be there and what is
  const step = async (name, answer, into = codes) => {
    const { resultCode, ...rest } = await answer;
    into[name] = resultCode;
    return rest;
  };
  const compare = (what, wanted, got) => readBacks.push({ what, wanted, got });

  // As the vendor's editor does, a change sends the whole object that was read, IDs and all.
  const person = {
    personType: 'Receiver',
    name: 'Giulia',
    information: 'Restauratrice',
    pin: '004217',
    tag: '🪻',
  };
  const newName = { name: 'Giulia Rossi' };
  const { personID } = await step('postPerson', api.people.postPerson(sessionID, person));
  const getPerson = () => api.people.getPerson(sessionID, personID);
  const added = (await step('getPerson', getPerson())).person;
  compare('person added', { ...person, personID }, added);
  await step('patchPerson', api.people.patchPerson(sessionID, { ...added, ...newName }));
  const renamed = (await step('getPerson again', getPerson())).person;
  compare('person changed', { ...person, ...newName }, renamed);

  const keys = api.localizationKeys;
  const last = { key: 'INPUT_QUIT_5', value: 'buonanotte' };
  const { localizationKey } = await step('postKey', keys.postLocalizationKey(sessionID, last));
  compare('key added', last, localizationKey);
  const newValue = { ...last, value: 'a domani' };
  await step('patchKey', keys.patchLocalizationKey(sessionID, { ...localizationKey, ...newValue }));
  const getKey = () => keys.getLocalizationKey(sessionID, last.key);
  compare('key changed', newValue, (await step('getKey', getKey())).localizationKey);

  const text = { mimeType: 'text/plain', content: 'Ottone, 1911', title: 'La targa' };
  const memory = {
    memoryType: 'Story',
    title: 'La targa di ottone',
    titleVariants: ['Cosa dice la targa?'],
    answers: [{ text: '<p>Dice «spingere», ma si tira.</p>', preformatted: true }],
    media: [{ ...text, properties: { size: 'large' } }],
    receiverID: personID,
    date: '1911-05-01T00:00:00Z',
    dateUncertaintyDays: 3,
    placeName: 'Ingresso',
    placeLatitude: 44.5011,
    placeLongitude: 10.7823,
    placeUncertaintyKm: 0.1,
    hints: ['Chi la mise?'],
    tags: ['oggetti'],
    contextVarsToSet: { sala: '1' },
    conclusive: true,
    minTimeout: 5,
    maxTimeout: 9,
  };
  const newTitle = { title: 'La targa che mente', tags: ['oggetti', 'ingresso'] };
  const { memoryID } = await step('postMemory', api.memories.postMemory(sessionID, memory));
  const getMemory = () => api.memories.getMemory(sessionID, memoryID);
  const told = (await step('getMemory', getMemory())).memory;
  compare('memory added', { ...memory, memoryID, receiverTag: person.tag }, told);
  await step('patchMemory', api.memories.patchMemory(sessionID, { ...told, ...newTitle }));
  const retold = (await step('getMemory again', getMemory())).memory;
  compare('memory changed', { ...memory, ...newTitle }, retold);
  await step('getMemoryAccess', api.memories.getMemoryAccess(sessionID, memoryID));

  const content = { incisa: 1911, testo: 'spingere' };
  const dataURL = `data:application/json,${encodeURIComponent(JSON.stringify(content))}`;
  const { uploadAsset, updateAsset, deleteAsset, getAssetList, getAsset } = api.backend.asset;
  const upload = uploadAsset('targa.json', dataURL, token, agent.memoriID, memoryID);
  const { asset } = await step('uploadAsset', upload);
  const { assetURL } = asset;
  const file = { originalFileName: 'targa', mimeType: 'application/json' };
  const owners = { memoriID: agent.memoriID, engineMemoryID: memoryID };
  compare('asset uploaded', { ...file, ...owners }, asset);
  compare('asset downloaded', content, await getAsset(fileName(asset), sessionID));
  const listed = async () =>
    (await step('getAssetList', getAssetList(token))).assets.find(one => one.assetURL === assetURL);
  compare('asset listed', asset, await listed());
  const newFile = { originalFileName: 'targa di ottone', engineMemoryID: '-' };
  await step('updateAsset', updateAsset(token, assetURL, { ...asset, ...newFile }));
  compare('asset changed', { ...file, ...newFile, engineMemoryID: null }, await listed());

  const media = `${ENGINE_URL}/Medium/${sessionID}/${memoryID}`;
  const link = { url: assetURL, mimeType: 'application/json', title: 'La scheda' };
  const newCaption = { title: 'La scheda della targa', properties: { inventario: 'RS-0099' } };
  const { mediumID } = await step('postMedium', call('POST', media, link));
  const getMedium = () => api.media.getMedium(sessionID, memoryID, mediumID);
  compare('medium added', { ...link, mediumID }, (await step('getMedium', getMedium())).medium);
  await step('patchMedium', call('PATCH', `${media}/${mediumID}`, newCaption));
  const captioned = (await step('getMedium again', getMedium())).medium;
  compare('medium changed', { ...link, ...newCaption }, captioned);
  const getMedia = () => api.media.getMedia(sessionID, memoryID);
  const both = (await step('getMedia', getMedia())).media;
  compare('media of the memory', [text, { ...link, ...newCaption }], both);

  await step('deleteMedium', call('DELETE', `${media}/${mediumID}`));
  await step('getMedium', getMedium(), gone);
  await step('deleteMedia', api.media.deleteMedia(sessionID, memoryID));
  compare('no more media', [], (await step('getMedia again', getMedia())).media);
  await step('deleteAsset', deleteAsset(token, assetURL));
  const details = `${BACKEND_URL}/AssetDetails/${token}/${fileName(asset)}`;
  await step('getAssetDetails', call('GET', details), gone);
  await step('deleteMemory', api.memories.deleteMemory(sessionID, memoryID));
  await step('getMemory', getMemory(), gone);
  await step('deleteKey', keys.deleteLocalizationKey(sessionID, last.key));
  await step('getKey', getKey(), gone);
  await step('deletePerson', api.people.deletePerson(sessionID, personID));
  await step('getPerson', getPerson(), gone);

  return { entry, codes, readBacks, gone, exit: await leave(visit) };
}

// ---- small things

function ok(answer) {
  if (answer.resultCode !== 0) throw new Error(`${answer.resultCode} ${answer.resultMessage}`);
  return answer;
}

async function call(method, url, body) {
  const headers = { 'Content-Type': 'application/json' };
  const answer = await fetch(url, { method, headers, body: body && JSON.stringify(body) });
  return answer.json();
}

async function sha256(url) {
  const answer = await fetch(url);
  if (answer.headers.get('Content-Type').startsWith('application/json')) ok(await answer.json());
  return createHash('sha256').update(Buffer.from(await answer.arrayBuffer())).digest('hex');
}

function fileName(asset) {
  return asset.assetURL.split('/').pop();
}

function label(asset) {
  return `asset:${asset.originalFileName}.${asset.assetURL.split('.').pop()}`;
}
