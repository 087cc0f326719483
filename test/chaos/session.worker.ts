/** The session's thread as it is, with faults on order. */
import { obeyFaults } from './faults.ts';
import '../../src/actors/session/session.worker.ts';

obeyFaults('session');
