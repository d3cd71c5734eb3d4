import type { Pool } from 'pg';

/** How PostgreSQL would go about a statement, whatever its values. @param settings those of the statement's transaction */
export async function planOf(
  pool: Pool,
  text: string,
  settings: Readonly<Record<string, string | number>> = {},
): Promise<string> {
  const client = await pool.connect();
  try {
    await client.query('begin');
    for (const [name, value] of Object.entries(settings))
      await client.query(`set local ${name} = '${value}'`);
    const { rows } = await client.query({
      text: `explain (generic_plan, costs off) ${text}`,
      // Only so are parameters left open.
      queryMode: 'simple',
    } as { text: string });
    return rows.map((row) => row['QUERY PLAN']).join('\n');
  } finally {
    await client.query('rollback');
    client.release();
  }
}
