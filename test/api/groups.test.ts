import { once } from 'node:events';
import { connect } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { defaultLimits } from '../../src/graphql/transports/limits.ts';
import { buy, createOrganisation, createUser, logon } from '../setup/given.ts';
import { startTestServer, type TestServer } from '../setup/server.ts';
import { bareSocket, type BareSocket } from '../setup/socket.ts';
