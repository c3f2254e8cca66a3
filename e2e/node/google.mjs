// The same as e2e/clients/google: a program that calls a service as every program with Google's library
// does.
import { GoogleAuth } from 'google-auth-library';

try {
  const auth = new GoogleAuth({ scopes: 'https://www.googleapis.com/auth/cloud-platform' });
  const client = await auth.getClient();
  const answer = await client.request({ url: process.argv[2], responseType: 'text' });
  process.stdout.write(answer.data);
} catch (err) {
  console.error(err.message);
  process.exit(1);
}
