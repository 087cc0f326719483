/** The executor's thread as it is, with faults on order. */
import { obeyFaults } from './faults.ts';

export { close } from '../../src/actors/executor/executor.worker.ts';

obeyFaults('executor');
