/** The scanner's thread as it is, with faults on order. */
import { obeyFaults } from './faults.ts';
import '../../src/actors/scanner/scanner.worker.ts';

obeyFaults('scanner');
