// The process of a worker, as tests start it.
import { NatsWorker } from '../nats-worker.ts';
import { serve, type WorkerTask } from './orders.ts';

serve(async ({ access, options }: WorkerTask) => {
  await NatsWorker.start(access, options);
  return null;
});
