import { randomFillSync } from 'node:crypto';
import { v7 } from 'uuid';
import { systemClock } from './clock.ts';

declare const brand: unique symbol;

/** A UUID that says what it names, so that a user's id cannot be passed for a session's. */
export type Id<Of extends string> = string & { readonly [brand]: Of };

export type OrganisationId = Id<'Organisation'>;
export type UserId = Id<'User'>;
export type PurchaseId = Id<'Purchase'>;
export type AssignmentId = Id<'LicenceAssignment'>;
export type BaseLicenceId = Id<'BaseLicence'>;
export type SessionId = Id<'Session'>;
export type DenialId = Id<'Denial'>;
export type AlertId = Id<'Alert'>;
export type ApiKeyId = Id<'ApiKey'>;
export type SecurityKeyId = Id<'SecurityKey'>;
export type DepartmentId = Id<'Department'>;

/** A licence's code in the catalogue, such as `INBOUND_AGENT`. */
export type LicenceCode = string & { readonly [brand]: 'Licence' };

/** Of no organisation: no such id is ever made. */
export const nowhere = '00000000-0000-0000-0000-000000000000' as OrganisationId;

const idBytes = 16;
/** Of many ids: asking for each one's by itself was a tenth of what a logon costs this process. */
const random = new Uint8Array(256 * idBytes);
let used = random.length;
let milliseconds = 0;
let sequence = 0;

/** A new UUID of version 7: later ones sort after earlier ones, so that an index grows at one end. */
export function newId<Of extends string>(): Id<Of> {
  if (used === random.length) {
    randomFillSync(random);
    used = 0;
  }
  const bytes = random.subarray(used, (used += idBytes));
  const now = systemClock.now().getTime();
  if (now > milliseconds) {
    milliseconds = now;
    // Below half, so that no millisecond has ids enough to overflow it.
    sequence = new DataView(bytes.buffer, bytes.byteOffset).getUint32(0) >>> 1;
  } else {
    sequence += 1;
  }
  return v7({ random: bytes, msecs: milliseconds, seq: sequence }) as Id<Of>;
}

/**
 * What clients see: a prefix that names the type, then the organisation and the thing. Knowing the organisation
 * from the id alone is what lets every read name it (the tenant's wall), and every index begin with it.
 */
const prefixes = {
  Organisation: 'org',
  User: 'usr',
  Purchase: 'pur',
  LicenceAssignment: 'asg',
  Session: 'ses',
  Denial: 'den',
  Alert: 'alt',
  ApiKey: 'key',
  SecurityKey: 'sec',
  Department: 'dep',
} as const;

const licencePrefix = 'lic';
const mappingPrefix = 'map';
const statementPrefix = 'stm';

/** The types whose ids are an organisation and a thing in it. */
export type OwnedType = Exclude<keyof typeof prefixes, 'Organisation'>;

type OwnedReference = {
  [Type in OwnedType]: { readonly type: Type; readonly organisationId: OrganisationId; readonly id: string };
}[OwnedType];

/** What an id that a client sent names. Whether it exists is another question. */
export type Reference =
  | { readonly type: 'Organisation'; readonly organisationId: OrganisationId }
  | OwnedReference
  | {
      readonly type: 'LicenceMapping';
      readonly organisationId: OrganisationId;
      readonly licence: LicenceCode;
    }
  | {
      readonly type: 'BillingStatement';
      readonly organisationId: OrganisationId;
      /** year × 12 + month − 1. */
      readonly month: number;
      readonly correction: number;
    }
  | { readonly type: 'Licence'; readonly licence: LicenceCode };

export function encodeOrganisationId(organisationId: OrganisationId): string {
  return `${prefixes.Organisation}_${pack(organisationId)}`;
}

export function encodeOwnedId(type: OwnedType, organisationId: OrganisationId, id: string): string {
  return `${prefixes[type]}_${pack(organisationId)}${pack(id)}`;
}

export function encodeLicenceId(licence: LicenceCode): string {
  return `${licencePrefix}_${licence}`;
}

export function encodeMappingId(organisationId: OrganisationId, licence: LicenceCode): string {
  return `${mappingPrefix}_${pack(organisationId)}${licence}`;
}

/**
 * A month's statement has its id before it is issued, so that an estimate becomes the statement, and is not replaced by it.
 * @param month year × 12 + month − 1
 * @param correction 0: the month's own statement; else which of its corrections
 */
export function encodeStatementId(organisationId: OrganisationId, month: number, correction: number): string {
  const year = String(Math.floor(month / 12)).padStart(4, '0');
  const of = `${year}${String((month % 12) + 1).padStart(2, '0')}`;
  return `${statementPrefix}_${pack(organisationId)}${of}${correction === 0 ? '' : `-${correction}`}`;
}

/** Reads a client's id; null when no such id could ever have been given out. */
export function decodeId(text: string): Reference | null {
  const licence = /^lic_([A-Z][A-Z0-9_]{0,63})$/.exec(text)?.[1];
  if (licence !== undefined) return { type: 'Licence', licence: licence as LicenceCode };

  const [, prefix, packedOrganisation, rest] = /^([a-z]{3})_([\w-]{22})([\w-]*)$/.exec(text) ?? [];
  if (packedOrganisation === undefined || rest === undefined) return null;
  const organisationId = unpack(packedOrganisation) as OrganisationId | null;
  if (organisationId === null) return null;

  if (prefix === mappingPrefix) {
    return /^[A-Z][A-Z0-9_]{0,63}$/.test(rest)
      ? { type: 'LicenceMapping', organisationId, licence: rest as LicenceCode }
      : null;
  }
  if (prefix === statementPrefix) {
    const [, year, month, correction = '0'] = /^(\d{4})(0[1-9]|1[0-2])(?:-([1-9]\d{0,2}))?$/.exec(rest) ?? [];
    return year === undefined
      ? null
      : {
          ...{ type: 'BillingStatement', organisationId, correction: Number(correction) },
          month: Number(year) * 12 + Number(month) - 1,
        };
  }
  if (prefix === prefixes.Organisation) return rest === '' ? { type: 'Organisation', organisationId } : null;
  const type = ownedTypes.find((owned) => prefixes[owned] === prefix);
  const id = unpack(rest);
  return type === undefined || id === null ? null : ({ type, organisationId, id } as OwnedReference);
}

const ownedTypes = (Object.keys(prefixes) as (keyof typeof prefixes)[]).filter(
  (type): type is OwnedType => type !== 'Organisation',
);

function pack(uuid: string): string {
  return Buffer.from(uuid.replaceAll('-', ''), 'hex').toString('base64url');
}

/** 22 characters hold 132 bits: only the spelling that `pack` writes is taken, so that a thing has one id. */
function unpack(text: string): string | null {
  const bytes = Buffer.from(text, 'base64url');
  if (bytes.length !== 16 || bytes.toString('base64url') !== text) return null;
  const hex = bytes.toString('hex');
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-${hex.slice(12, 16)}-${hex.slice(16, 20)}-${hex.slice(20)}`;
}
