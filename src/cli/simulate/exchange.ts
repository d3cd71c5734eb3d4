import type { Instant } from '../../kernel/clock.ts';

/** What the simulator asks on behalf of a user. Usernames are unique in an organisation. */
export type Request = LogonRequest | SessionRequest | StatusRequest;

export interface LogonRequest {
  readonly kind: 'LOGON';
  readonly username: string;
  readonly device: string;
  readonly licence: string;
  /** null: all the user's features. */
  readonly features: readonly string[] | null;
}

export type SessionRequest = {
  readonly username: string;
  readonly device: string;
  readonly sessionId: string;
} & (
  | { readonly kind: 'RENEW' | 'LOGOFF' }
  | { readonly kind: 'ACQUIRE' | 'RELEASE'; readonly features: readonly string[] }
);

export interface StatusRequest {
  readonly kind: 'ACTIVATE' | 'DELETE';
  readonly username: string;
}

export type Answer =
  | { readonly kind: 'SESSION'; readonly session: SessionAnswer }
  | { readonly kind: 'USER'; readonly status: string }
  | {
      readonly kind: 'REFUSED';
      readonly code: string;
      readonly message: string;
      /** Of NO_CHANNEL_AVAILABLE; empty otherwise. */
      readonly features: readonly FeatureAnswer[];
    };

export interface SessionAnswer {
  readonly id: string;
  readonly admittedAs: string;
  readonly expiresAt: Instant;
  readonly endedAt: Instant | null;
  readonly features: readonly FeatureAnswer[];
}

export interface FeatureAnswer {
  readonly code: string;
  readonly granted: boolean;
  readonly admittedAs: string | null;
  readonly unavailableReason: string | null;
}

export interface Exchange {
  readonly request: Request;
  readonly answer: Answer;
}

/** An answer in a few words. */
export function say(answer: Answer): string {
  switch (answer.kind) {
    case 'SESSION':
      return `session ${answer.session.id}, ended at ${answer.session.endedAt?.toISOString() ?? 'no time'}`;
    case 'USER':
      return `a user who is ${answer.status}`;
    case 'REFUSED':
      return `${answer.code} (${answer.message})`;
  }
}
