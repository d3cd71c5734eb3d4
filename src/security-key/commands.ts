import { randomBytes } from 'node:crypto';
import { type UserDeleted, userDeleted } from '../assignment/domain.ts';
import { doneBy } from '../audit/domain.ts';
import { note } from '../audit/store.ts';
import { inTransaction, type Transaction } from '../database/transaction.ts';
import type { Actor } from '../kernel/actor.ts';
import { plusSeconds } from '../kernel/clock.ts';
import { encodeOwnedId, newId, type OrganisationId, type SecurityKeyId } from '../kernel/ids.ts';
import { type InvalidInput, invalidInput, isRefusal, type NotFound, notFound } from '../kernel/refusal.ts';
import type { Services } from '../live/services.ts';
import { lockOrganisations } from '../organisation/store.ts';
import { lockUser } from '../user/store.ts';
import {
  accepted,
  type AssertionAnswer,
  challengeOf,
  challengeSeconds,
  type CreationAnswer,
  isShownByCredential,
  maxChallenges,
  maxCredentialIdLength,
  maxKeys,
  maxPublicKeyBytes,
  mustProve,
  type Proof,
  type Purpose,
  readAssertion,
  readCreation,
  readTransports,
  type SecondFactorRequired,
  type SecondFactorTerms,
  type SecurityKey,
  type SecurityKeyAlgorithm,
  type SecurityKeyTaken,
  securityKeyTaken,
  type TooManySecurityKeys,
  tooManySecurityKeys,
  useKey,
  type Whose,
} from './domain.ts';
import {
  deleteSecurityKey,
  findCredential,
  insertChallenge,
  insertSecurityKey,
  listSecurityKeys,
  lockSecurityKey,
  takeChallenge,
  updateUse,
} from './store.ts';

export interface Enrol extends Whose {
  /** Who enrols it. */
  readonly actor: Actor;
  readonly name: string;
  /** JSON text of what the key answered to the options of the enrolment. */
  readonly response: string;
  readonly secondFactor: string | null;
}

export interface Remove {
  /** Who removes it. */
  readonly actor: Actor;
  readonly organisationId: OrganisationId;
  readonly securityKeyId: SecurityKeyId;
  readonly secondFactor: string | null;
}

export interface Show extends Whose {
  /** Who asks: their own credential may show it. */
  readonly actor: Actor;
  readonly purpose: Purpose;
  /** JSON text of what a key answered to a challenge; null: nothing was sent. */
  readonly secondFactor: string | null;
}

/** What can be done with security keys. Their instants are real ones, also in an organisation with a test clock. */
export interface SecurityKeys {
  /** What a new key must answer, as JSON text. */
  beginEnrolment(
    services: Services,
    whose: Whose,
  ): Promise<{ readonly options: string } | NotFound | UserDeleted | TooManySecurityKeys>;
  enrol(
    services: Services,
    input: Enrol,
  ): Promise<
    | SecurityKey
    | NotFound
    | InvalidInput
    | UserDeleted
    | TooManySecurityKeys
    | SecurityKeyTaken
    | SecondFactorRequired
  >;
  /** @returns the key that is gone */
  remove(
    services: Services,
    input: Remove,
  ): Promise<SecurityKey | NotFound | InvalidInput | SecondFactorRequired>;
  /**
   * L1: whether a user's second factor is shown. A challenge that is answered is used up, whatever the answer is worth.
   * Where the actor's own credential shows it, or nothing was sent, no statement is executed.
   */
  show(services: Services, input: Show): Promise<Proof | InvalidInput>;
  /** The refusal of what needs a second factor: with a fresh challenge, where the user has a key to sign it. */
  require(
    services: Services,
    whose: Whose,
    purpose: Purpose,
    refused: { readonly message: string; readonly proof: Proof },
  ): Promise<SecondFactorRequired>;
}

/** COSE's numbers of what keys may sign by, the preferred one first. */
const algorithms = new Map<number, SecurityKeyAlgorithm>([
  [-7, 'ES256'],
  [-257, 'RS256'],
]);

/** COSE's name of a key's algorithm. */
const coseAlgorithm = 3;

const relyingPartyName = 'Seatkeeper';
const challengeBytes = 32;

/** Loaded with the first key: it takes a quarter of a second, which no start should wait for. */
const webAuthn = () => import('@simplewebauthn/server');
const webAuthnHelpers = () => import('@simplewebauthn/server/helpers');

export function createSecurityKeys(terms: SecondFactorTerms): SecurityKeys {
  const show: SecurityKeys['show'] = async (services, { actor, purpose, secondFactor, ...whose }) => {
    if (isShownByCredential(actor, whose, terms, services.clock.now())) return { shown: true };
    if (secondFactor === null) return { shown: false, why: null };
    const answer = readAssertion(secondFactor);
    if (answer === null) {
      return invalidInput(
        'secondFactor',
        'A second factor is JSON: what a security key answered to the challenge (PublicKeyCredential.toJSON).',
      );
    }
    const why = await use(services, terms, whose, purpose, answer);
    return why === null ? { shown: true } : { shown: false, why };
  };

  const require: SecurityKeys['require'] = async (services, whose, purpose, { message, proof }) => {
    const keys = accepted(await listSecurityKeys(services.db, whose.organisationId, [whose.userId]));
    const challenge = keys.length === 0 ? null : await challengeKeys(services, terms, whose, purpose, keys);
    const advice =
      challenge === null
        ? 'No security key of the user is accepted: enrol one first, by beginSecurityKeyEnrolment.'
        : 'Have a security key of the user sign the challenge, and send its answer as secondFactor.';
    const why = proof.shown ? null : proof.why;
    return {
      code: 'SECOND_FACTOR_REQUIRED',
      message: [message, why, advice].filter((part) => part !== null).join(' '),
      challenge,
    };
  };

  /** A person proves themselves, whosever keys they change. */
  const requireOwn = (services: Services, { organisationId, userId }: Actor, proof: Proof) => {
    if (organisationId === null || userId === null) throw new Error('Only a person has a second factor');
    const message = 'Security keys are changed with a second factor of your own, which was not shown.';
    return require(services, { organisationId, userId }, 'CHANGE', { message, proof });
  };

  const showOwn = async (
    services: Services,
    actor: Actor,
    secondFactor: string | null,
  ): Promise<Proof | InvalidInput> => {
    const { organisationId, userId } = actor;
    if (organisationId === null || userId === null) return { shown: false, why: null };
    return show(services, { actor, organisationId, userId, purpose: 'CHANGE', secondFactor });
  };

  return {
    show,
    require,
    beginEnrolment: (services, whose) =>
      inTransaction(services.db, 'beginSecurityKeyEnrolment', async (trx) => {
        const enrollable = await lockEnrollable(trx, whose);
        if (isRefusal(enrollable)) return enrollable;
        const { user, keys } = enrollable;
        if (keys.length >= maxKeys) return tooManySecurityKeys();
        const { generateRegistrationOptions } = await webAuthn();
        const options = await generateRegistrationOptions({
          rpName: relyingPartyName,
          rpID: terms.rpId,
          userName: user.username,
          userDisplayName: user.displayName,
          // It is told to the key, and says nothing about the person.
          userID: new Uint8Array(Buffer.from(whose.userId.replaceAll('-', ''), 'hex')),
          challenge: new Uint8Array(randomBytes(challengeBytes)),
          timeout: challengeSeconds * 1000,
          attestationType: 'none',
          excludeCredentials: keys.map(toDescriptor),
          authenticatorSelection: { residentKey: 'discouraged', userVerification: 'preferred' },
          supportedAlgorithmIDs: [...algorithms.keys()],
        });
        await insertChallenge(
          trx,
          whose,
          {
            purpose: 'ENROLMENT',
            challenge: options.challenge,
            expiresAt: plusSeconds(services.clock.now(), challengeSeconds),
          },
          maxChallenges,
        );
        return { options: JSON.stringify(options) };
      }),
    enrol: async (services, { actor, name, response, secondFactor, ...whose }) => {
      const answer = readCreation(response);
      const challenge = answer === null ? null : challengeOf(answer);
      if (answer === null || challenge === null) return notAnEnrolment();
      const proof = await showOwn(services, actor, secondFactor);
      if (isRefusal(proof)) return proof;
      const now = services.clock.now();
      const enrolled = await inTransaction(services.db, 'enrolSecurityKey', async (trx) => {
        await lockOrganisations(trx, [whose.organisationId], false);
        const enrollable = await lockEnrollable(trx, whose);
        if (isRefusal(enrollable)) return enrollable;
        // Asked under the user's lock: of two that would both be the first, one is the second.
        if (!proof.shown && mustProve(actor, whose.userId, enrollable.keys)) return null;
        if (enrollable.keys.length >= maxKeys) return tooManySecurityKeys();
        const until = await takeChallenge(trx, whose, 'ENROLMENT', challenge);
        if (until === null || until <= now) {
          return invalidInput(
            'response',
            'The enrolment is over, or was begun for somebody else: begin it again.',
          );
        }
        const made = await verifyCreation(services, terms, answer, challenge);
        if (made === null) return notAnEnrolment();
        const key: SecurityKey = {
          id: newId(),
          userId: whose.userId,
          ...made,
          transports: readTransports(answer.response.transports),
          name,
          createdAt: now,
          lastUsedAt: null,
          suspectAt: null,
        };
        if (!(await insertSecurityKey(trx, whose.organisationId, key))) return securityKeyTaken();
        await noteKey(services, trx, whose.organisationId, 'enrolSecurityKey', key);
        return key;
      });
      return enrolled ?? requireOwn(services, actor, proof);
    },
    remove: async (services, { actor, organisationId, securityKeyId, secondFactor }) => {
      const proof = await showOwn(services, actor, secondFactor);
      if (isRefusal(proof)) return proof;
      const removed = await inTransaction(services.db, 'removeSecurityKey', async (trx) => {
        await lockOrganisations(trx, [organisationId], false);
        const key = await lockSecurityKey(trx, organisationId, securityKeyId);
        if (key === null) return notFound('security key');
        if (!proof.shown && mustProve(actor, key.userId, [key])) return null;
        await deleteSecurityKey(trx, organisationId, key.id);
        await noteKey(services, trx, organisationId, 'removeSecurityKey', key);
        return key;
      });
      return removed ?? requireOwn(services, actor, proof);
    },
  };
}

/** What a key is called is its owner's to know, and stays out of the log. */
async function noteKey(
  { by, clock }: Services,
  trx: Transaction,
  organisationId: OrganisationId,
  action: 'enrolSecurityKey' | 'removeSecurityKey',
  { id, userId, algorithm }: SecurityKey,
): Promise<void> {
  const facts = { userId: encodeOwnedId('User', organisationId, userId), algorithm };
  const isGone = action === 'removeSecurityKey';
  await note(trx, {
    organisationId,
    ...doneBy(by, clock.now(), action),
    subject: encodeOwnedId('SecurityKey', organisationId, id),
    before: isGone ? facts : null,
    after: isGone ? null : facts,
  });
}

function notAnEnrolment(): InvalidInput {
  return invalidInput(
    'response',
    'This is not what a security key answers to the options of this enrolment (PublicKeyCredential.toJSON): begin it again.',
  );
}

async function lockEnrollable(trx: Transaction, { organisationId, userId }: Whose) {
  const user = await lockUser(trx, organisationId, userId);
  if (user === null) return notFound('user');
  if (user.status === 'DELETED') return userDeleted();
  return { user, keys: await listSecurityKeys(trx, organisationId, [userId]) };
}

function toDescriptor({ credentialId, transports }: SecurityKey) {
  return { id: credentialId, transports: [...transports] };
}

/** Makes a challenge for a user's keys. @returns what a browser is to be given, as JSON text; null: the user is gone */
async function challengeKeys(
  { db, clock }: Services,
  { rpId }: SecondFactorTerms,
  whose: Whose,
  purpose: Purpose,
  keys: readonly SecurityKey[],
): Promise<string | null> {
  const { generateAuthenticationOptions } = await webAuthn();
  const options = await generateAuthenticationOptions({
    rpID: rpId,
    challenge: new Uint8Array(randomBytes(challengeBytes)),
    timeout: challengeSeconds * 1000,
    allowCredentials: keys.map(toDescriptor),
    userVerification: 'preferred',
  });
  const expiresAt = plusSeconds(clock.now(), challengeSeconds);
  return inTransaction(db, 'challengeSecurityKeys', async (trx) => {
    if ((await lockUser(trx, whose.organisationId, whose.userId)) === null) return null;
    await insertChallenge(trx, whose, { purpose, challenge: options.challenge, expiresAt }, maxChallenges);
    return JSON.stringify(options);
  });
}

/**
 * Uses a key's answer up. The challenge is taken in a transaction of its own, which stands whatever comes after; the
 * signature is verified outside of any.
 * @returns why the answer shows nothing; null: it does
 */
async function use(
  services: Services,
  terms: SecondFactorTerms,
  whose: Whose,
  purpose: Purpose,
  answer: AssertionAnswer,
): Promise<string | null> {
  const { db, clock, log, by } = services;
  const { organisationId, userId } = whose;
  const challenge = challengeOf(answer);
  const [until, key] = await inTransaction(db, 'takeSecurityKeyChallenge', (trx) =>
    Promise.all([
      challenge === null ? null : takeChallenge(trx, whose, purpose, challenge),
      findCredential(trx, whose, answer.id),
    ]),
  );
  if (challenge === null || until === null || until <= clock.now()) {
    return 'What was sent answers no challenge of this user that is open: each is good for one answer, and for two minutes.';
  }
  if (key === null) return 'What was sent is not from a security key of this user.';
  const counter = await verifyAssertion(services, terms, key, answer, challenge);
  if (counter === null) return 'What was sent does not hold.';

  const used = await inTransaction(db, 'useSecurityKey', async (trx) => {
    const present = await lockSecurityKey(trx, organisationId, key.id);
    if (present === null || present.suspectAt !== null) return present;
    const next = useKey(present, counter, clock.now());
    await updateUse(trx, organisationId, next);
    return next;
  });
  if (used === null) return 'What was sent is not from a security key of this user.';
  if (used.suspectAt === null) return null;
  log.warn(
    { organisationId, userId, securityKeyId: key.id, counter, known: used.counter, requestId: by?.requestId },
    'a security key may have been copied: it is not accepted',
  );
  return 'The security key may have been copied, and is not accepted any more; have it removed, and use another.';
}

/** What a new key says about itself, if its answer holds; null if not. */
async function verifyCreation(
  services: Services,
  { rpId, origins }: SecondFactorTerms,
  answer: CreationAnswer,
  expectedChallenge: string,
): Promise<Pick<SecurityKey, 'credentialId' | 'publicKey' | 'algorithm' | 'counter'> | null> {
  const [{ verifyRegistrationResponse }, { decodeAttestationObject, decodeCredentialPublicKey }] =
    await Promise.all([webAuthn(), webAuthnHelpers()]);
  const { clientDataJSON, attestationObject } = answer.response;
  return verify(services, async () => {
    const attestation = decodeAttestationObject(new Uint8Array(Buffer.from(attestationObject, 'base64url')));
    // None was asked for. Of what is sent all the same, certificates are not read: they can name addresses to fetch.
    const isPlain = attestation.get('fmt') === 'none' || attestation.get('fmt') === 'packed';
    if (!isPlain || attestation.get('attStmt').get('x5c') !== undefined) throw new Error('An attestation');
    const { registrationInfo } = await verifyRegistrationResponse({
      response: { ...answer, clientExtensionResults: {}, response: { clientDataJSON, attestationObject } },
      expectedChallenge,
      expectedOrigin: [...origins],
      expectedRPID: rpId,
      requireUserVerification: false,
      supportedAlgorithmIDs: [...algorithms.keys()],
    });
    if (registrationInfo === undefined) return null;
    const { id: credentialId, publicKey, counter } = registrationInfo.credential;
    const algorithm = algorithms.get(Number(decodeCredentialPublicKey(publicKey).get(coseAlgorithm)));
    const isBounded = credentialId.length <= maxCredentialIdLength && publicKey.length <= maxPublicKeyBytes;
    return algorithm === undefined || !isBounded ? null : { credentialId, publicKey, algorithm, counter };
  });
}

/** The counter that an answer carries, if it holds; null if not. */
async function verifyAssertion(
  services: Services,
  { rpId, origins }: SecondFactorTerms,
  { credentialId, publicKey }: SecurityKey,
  answer: AssertionAnswer,
  expectedChallenge: string,
): Promise<number | null> {
  const { verifyAuthenticationResponse } = await webAuthn();
  return verify(services, async () => {
    const { verified, authenticationInfo } = await verifyAuthenticationResponse({
      response: { ...answer, clientExtensionResults: {} },
      expectedChallenge,
      expectedOrigin: [...origins],
      expectedRPID: rpId,
      requireUserVerification: false,
      // The library would look at the counter before the signature: anybody could then make a key suspect.
      credential: { id: credentialId, publicKey: new Uint8Array(publicKey), counter: 0 },
    });
    return verified ? authenticationInfo.newCounter : null;
  });
}

/** The library says by exceptions what does not hold, and throws others at garbage: none of them is more than a no. */
async function verify<Verified>(
  { log, by }: Services,
  work: () => Promise<Verified | null>,
): Promise<Verified | null> {
  try {
    return await work();
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    log.info({ reason, requestId: by?.requestId }, 'a security key’s answer does not hold');
    return null;
  }
}
