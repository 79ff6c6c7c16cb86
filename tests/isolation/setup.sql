-- What the isolation specs share: a ledger of its own for each permutation, calls that say in one
-- word what they came to, and balances without anything that differs from run to run.

CREATE SCHEMA iso;

-- What a spec has to refer to by id, under a name: holds, transfers, transactions.
CREATE TABLE iso.names (ledger text, name text, id uuid, PRIMARY KEY (ledger, name));
CREATE SEQUENCE iso.permutations;

CREATE FUNCTION iso.id(wanted text) RETURNS uuid LANGUAGE sql STABLE AS
$$ SELECT id FROM iso.names WHERE name = wanted AND ledger = current_setting('wallet_ledger.ledger') $$;

-- Each session of a spec works in the ledger that the permutation's setup made last.
CREATE PROCEDURE iso.enter() LANGUAGE plpgsql AS $$
BEGIN
    PERFORM set_config('wallet_ledger.ledger', 'iso' || last_value, false) FROM iso.permutations;
END $$;

-- bank (asset, no floor), a, b and shop (wallets with floor 0), pool (two stripes, floor 0);
-- a and b begin with 100.
CREATE PROCEDURE iso.open() LANGUAGE plpgsql AS $$
BEGIN
    PERFORM nextval('iso.permutations');
    CALL iso.enter();
    PERFORM wallet_ledger.create_ledger(current_setting('wallet_ledger.ledger'));
    PERFORM wallet_ledger.create_account('bank', 'asset');
    PERFORM wallet_ledger.create_account(name, 'liability', minimum_balance => 0)
    FROM unnest(ARRAY['a', 'b', 'shop']) AS name;
    PERFORM wallet_ledger.create_account('pool', 'liability', minimum_balance => 0, stripes => 2);
    PERFORM wallet_ledger.post_transfer('bank', 'a', 100);
    PERFORM wallet_ledger.post_transfer('bank', 'b', 100);
END $$;

-- Keeps the id that a call returns under a name.
CREATE PROCEDURE iso.name(wanted text, call text) LANGUAGE plpgsql AS $$
DECLARE
    found uuid;
BEGIN
    EXECUTE call INTO found;
    INSERT INTO iso.names VALUES (current_setting('wallet_ledger.ledger'), wanted, found);
END $$;

-- What a call came to: its text, or the SQLSTATE and the word of the error with its cause or field.
CREATE FUNCTION iso.attempt(call text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    result text;
    detail text;
BEGIN
    EXECUTE call INTO result;
    RETURN coalesce(result, 'nothing');
EXCEPTION WHEN OTHERS THEN
    GET STACKED DIAGNOSTICS detail = PG_EXCEPTION_DETAIL;
    IF SQLSTATE !~ '^PT' THEN
        RETURN SQLSTATE || ' ' || SQLERRM;
    END IF;
    RETURN concat_ws(' ', SQLSTATE, detail::jsonb ->> 'error', detail::jsonb ->> 'cause',
                     detail::jsonb ->> 'field', detail::jsonb ->> 'status');
END $$;

-- One transfer: posted, replayed, or the error.
CREATE FUNCTION iso.pay(debit text, credit text, amount numeric, key text DEFAULT NULL,
                        effective_at timestamptz DEFAULT NULL) RETURNS text LANGUAGE sql AS
$$ SELECT iso.attempt(format(
       'SELECT CASE WHEN replayed THEN ''replayed'' ELSE ''posted'' END
        FROM wallet_ledger.post_transfer(%L, %L, %L, idempotency_key => %L, effective_at => %L)',
       debit, credit, amount, key, effective_at)) $$;

-- A batch of 10 from a to shop for each key: the outcomes in one line.
CREATE FUNCTION iso.pay_each(keys text, on_error text DEFAULT 'raise') RETURNS text LANGUAGE sql AS
$$ SELECT iso.attempt(format(
       'SELECT string_agg(outcome, '' '' ORDER BY position) FROM wallet_ledger.post_transfers(%L, on_error => %L)',
       (SELECT jsonb_agg(jsonb_build_object('debit_account', 'a', 'credit_account', 'shop', 'amount', 10,
                                            'idempotency_key', key) ORDER BY number)
        FROM regexp_split_to_table(keys, ' ') WITH ORDINALITY AS split (key, number)), on_error)) $$;

-- The version of a striped account depends on how often its stripes were balanced.
CREATE FUNCTION iso.balances() RETURNS TABLE (account text, state text, posted numeric, held numeric, version bigint)
LANGUAGE sql AS
$$ SELECT account, state, posted::numeric(20, 2), held::numeric(20, 2), CASE WHEN stripes = 1 THEN version END
   FROM wallet_ledger.accounts WHERE ledger = current_setting('wallet_ledger.ledger') ORDER BY account $$;

-- One item from a to b in a call with a key of its own, or an item with a key: outcome and error.
CREATE FUNCTION iso.pay_call(amount numeric, call_key text, item_key text DEFAULT NULL) RETURNS text LANGUAGE sql AS
$$ SELECT iso.attempt(format(
       'SELECT concat_ws('' '', outcome, error) FROM wallet_ledger.post_transfers(%L, %L, ''report'')',
       jsonb_build_array(jsonb_build_object('debit_account', 'a', 'credit_account', 'b', 'amount', amount,
                                            'idempotency_key', item_key)), call_key)) $$;

-- Money in: bank accounts bca and bri at Moota, with Moota's key; intents x and y for a at bca, z for b at
-- bri; two credits of nobody, w and v; and p, an intent for a that the movement paid has paid.
CREATE PROCEDURE iso.open_bank() LANGUAGE plpgsql AS $$
BEGIN
    CALL iso.open();
    PERFORM wallet_ledger.set_webhook_secret('moota', 'isolation');
    PERFORM wallet_ledger.register_bank_account(name, 'moota', name) FROM unnest(ARRAY['bca', 'bri']) AS name;
    CALL iso.name('x', 'SELECT id FROM wallet_ledger.create_intent(''order'', ''a'', 10000, ''bca'')');
    CALL iso.name('y', 'SELECT id FROM wallet_ledger.create_intent(''order'', ''a'', 20000, ''bca'')');
    CALL iso.name('z', 'SELECT id FROM wallet_ledger.create_intent(''order'', ''b'', 10000, ''bri'')');
    CALL iso.name('p', 'SELECT id FROM wallet_ledger.create_intent(''order'', ''a'', 50000, ''bca'')');
    PERFORM iso.match('w', '700000');
    PERFORM iso.match('v', '700000');
    PERFORM iso.match('paid', 'p');
END $$;

-- A movement at bca, or at bri: it has the total of an intent, or an amount that nobody is waiting for.
CREATE FUNCTION iso.line(movement text, worth text, bank text DEFAULT 'bca') RETURNS jsonb LANGUAGE sql AS
$$ SELECT jsonb_build_object('mutation_id', movement, 'bank_id', bank, 'type', 'CR', 'description', movement,
       'date', to_char(i.created_at AT TIME ZONE 'Asia/Jakarta', 'YYYY-MM-DD HH24:MI:SS'),
       'amount', CASE WHEN worth ~ '^\d+$' THEN worth::numeric ELSE i.total END)
   FROM wallet_ledger.intents i WHERE i.id = iso.id(CASE WHEN worth ~ '^\d+$' THEN 'x' ELSE worth END) $$;

-- HMAC-SHA256 by its definition.
CREATE FUNCTION iso.signature(body text, secret text) RETURNS text LANGUAGE plpgsql IMMUTABLE AS $$
DECLARE
    inner_key bytea := decode(repeat('36', 64), 'hex');
    outer_key bytea := decode(repeat('5c', 64), 'hex');
BEGIN
    FOR place IN 0 .. length(secret) - 1 LOOP
        inner_key := set_byte(inner_key, place, get_byte(inner_key, place) # ascii(substr(secret, place + 1, 1)));
        outer_key := set_byte(outer_key, place, get_byte(outer_key, place) # ascii(substr(secret, place + 1, 1)));
    END LOOP;
    RETURN encode(sha256(outer_key || sha256(inner_key || convert_to(body, 'UTF8'))), 'hex');
END $$;

-- One webhook of movements, 'm1=x m2=500': what each line came to, and whether it was delivered before.
CREATE FUNCTION iso.deliver(movements text, bank text DEFAULT 'bca') RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    body text;
BEGIN
    SELECT jsonb_agg(iso.line(split_part(word, '=', 1), split_part(word, '=', 2), bank) ORDER BY number)::text
    INTO body FROM regexp_split_to_table(movements, ' ') WITH ORDINALITY AS split (word, number);
    RETURN iso.attempt(format(
        'SELECT concat_ws('' '', CASE WHEN replayed THEN ''replayed:'' END,
                          (SELECT string_agg(line ->> ''outcome'', '' '') FROM jsonb_array_elements(lines) AS line))
         FROM wallet_ledger.receive_webhook(''moota'', %L, %L)',
        jsonb_build_object('Signature', iso.signature(body, 'isolation')), body));
END $$;

-- The same for one movement that a backend has verified on its own. Its id is kept under its name.
CREATE FUNCTION iso.match(movement text, worth text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    outcome text := iso.attempt(format('SELECT outcome FROM wallet_ledger.match_mutation(%L)',
                                       iso.line(movement, worth)));
BEGIN
    INSERT INTO iso.names
    SELECT ledger, movement, id FROM wallet_ledger.mutations
    WHERE ledger = current_setting('wallet_ledger.ledger') AND provider_mutation_id = movement
    ON CONFLICT DO NOTHING;
    RETURN outcome;
END $$;

-- A call that returns a row with a status, an intent's or a mutation's; [name] stands for an id.
CREATE FUNCTION iso.status(call text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    name text;
BEGIN
    FOR name IN SELECT match[1] FROM regexp_matches(call, '\[(\w+)\]', 'g') AS match LOOP
        call := replace(call, '[' || name || ']', quote_literal(iso.id(name)));
    END LOOP;
    RETURN iso.attempt('SELECT status FROM wallet_ledger.' || call);
END $$;

CREATE FUNCTION iso.create_intent(amount numeric) RETURNS text LANGUAGE sql AS
$$ SELECT iso.attempt(format('SELECT unique_code FROM wallet_ledger.create_intent(''order'', ''a'', %L, ''bca'')',
                             amount)) $$;

-- Of this amount at bca only that code can still be given out, or none.
CREATE PROCEDURE iso.leave_code(amount numeric, code integer DEFAULT 0) LANGUAGE sql AS
$$ INSERT INTO wallet_data.intent_codes (ledger_id, bank_account_id, total, intent_id, free_at)
   SELECT b.ledger_id, b.bank_account_id, amount + taken, gen_random_uuid(), 'infinity'
   FROM wallet_data.bank_accounts b JOIN wallet_data.ledgers l USING (ledger_id), generate_series(1, 999) AS taken
   WHERE l.name = current_setting('wallet_ledger.ledger') AND b.provider_bank_id = 'bca' AND taken <> code $$;

-- The intents by their names, what has paid them, and the movements.
CREATE FUNCTION iso.payments() RETURNS TABLE (what text, status text, paid_by text, reasons text) LANGUAGE sql AS
$$ SELECT n.name, i.status, m.provider_mutation_id, NULL
   FROM iso.names n JOIN wallet_ledger.intents i USING (id)
   LEFT JOIN wallet_ledger.mutations m ON m.id = i.mutation_id
   WHERE n.ledger = current_setting('wallet_ledger.ledger')
   UNION ALL
   SELECT 'movement ' || m.provider_mutation_id, m.status, NULL, array_to_string(m.reasons, ' ')
   FROM wallet_ledger.mutations m WHERE m.ledger = current_setting('wallet_ledger.ledger')
   ORDER BY 1 $$;

-- Whether each bank account of the books is what its movements make it, and its suspense what waits.
CREATE FUNCTION iso.banks() RETURNS TABLE (bank text, in_balance boolean, waiting_in_suspense boolean) LANGUAGE sql AS
$$ SELECT b.account,
          a.posted = coalesce(sum(CASE m.direction WHEN 'credit' THEN m.amount ELSE -m.amount END)
                              FILTER (WHERE m.status <> 'duplicate'), 0),
          s.posted = coalesce(sum(m.amount) FILTER (WHERE m.status IN ('suspense', 'review')), 0)
   FROM wallet_ledger.bank_accounts b
   JOIN wallet_ledger.accounts a ON a.ledger = b.ledger AND a.account = b.account
   JOIN wallet_ledger.accounts s ON s.ledger = b.ledger AND s.account = b.suspense_account
   LEFT JOIN wallet_ledger.mutations m ON m.ledger = b.ledger AND m.bank_account = b.account
   WHERE b.ledger = current_setting('wallet_ledger.ledger')
   GROUP BY b.account, a.posted, s.posted ORDER BY b.account $$;

-- Orders: e and f are escrows of a's money, 60 for b less 15 % and 20 for shop, 12 for shop and 8 for b.
CREATE PROCEDURE iso.open_escrows() LANGUAGE plpgsql AS $$
BEGIN
    CALL iso.open();
    CALL iso.name('e', 'SELECT id FROM wallet_ledger.open_escrow(''e'', ''a'',
        ''[{"beneficiary": "b", "amount": 60, "fee": "merchant_commission"}, {"beneficiary": "shop", "amount": 20}]'')');
    CALL iso.name('f', 'SELECT id FROM wallet_ledger.open_escrow(''f'', ''a'',
        ''[{"beneficiary": "shop", "amount": 12}, {"beneficiary": "b", "amount": 8}]'')');
END $$;

-- Both were shipped, and their time is over.
CREATE PROCEDURE iso.ship_escrows() LANGUAGE plpgsql AS $$
BEGIN
    PERFORM wallet_ledger.mark_shipped(iso.id(name)) FROM unnest(ARRAY['e', 'f']) AS name;
    UPDATE wallet_data.escrows SET release_due_at = now() - interval '1 day', attempt_at = now() - interval '1 day'
    WHERE escrow_id IN (iso.id('e'), iso.id('f'));
END $$;

-- One more escrow of 10 for shop, under a reference and a key.
CREATE FUNCTION iso.open_escrow(reference text, key text DEFAULT NULL) RETURNS text LANGUAGE sql AS
$$ SELECT iso.attempt(format(
       'SELECT status || CASE WHEN replayed THEN '' replayed'' ELSE '''' END
        FROM wallet_ledger.open_escrow(%L, ''b'', ''[{"beneficiary": "shop", "amount": 10}]'', idempotency_key => %L)',
       reference, key)) $$;

CREATE FUNCTION iso.release_due(max_count integer DEFAULT 1000) RETURNS text LANGUAGE sql AS
$$ SELECT iso.attempt(format(
       'SELECT string_agg(reference || '' '' || concat_ws('' '', outcome, error), '', '' ORDER BY reference)
        FROM wallet_ledger.release_due_escrows(%L)', max_count)) $$;

-- The escrows, whether each one's account has what is held, and how its dispute stands.
CREATE FUNCTION iso.escrows()
RETURNS TABLE (escrow text, status text, held numeric, released numeric, refunded numeric, returned numeric,
               in_balance boolean, disputes text) LANGUAGE sql AS
$$ SELECT e.reference, e.status, e.held_amount::numeric(20, 2), e.released_amount::numeric(20, 2),
          e.refunded_amount::numeric(20, 2), e.returned_amount::numeric(20, 2), a.posted = e.held_amount,
          (SELECT string_agg(d.status || coalesce(' ' || d.refunded_amount, ''), ', ' ORDER BY d.id)
           FROM wallet_ledger.disputes d WHERE d.escrow_id = e.id)
   FROM wallet_ledger.escrows e JOIN wallet_ledger.accounts a ON a.ledger = e.ledger AND a.account = e.account
   WHERE e.ledger = current_setting('wallet_ledger.ledger') ORDER BY e.reference $$;

-- A group buy of two, whose deadline is over where it says so; a takes part with 10 for shop.
CREATE PROCEDURE iso.open_group() LANGUAGE plpgsql AS $$
BEGIN
    CALL iso.open();
    CALL iso.name('g', 'SELECT id FROM wallet_ledger.open_group_buy(''g'', 2, deadline => now() + interval ''1 day'')');
    PERFORM iso.join_group('a');
END $$;

CREATE FUNCTION iso.join_group(buyer text) RETURNS text LANGUAGE sql AS
$$ SELECT iso.status(format('join_group_buy([g], %L, ''[{"beneficiary": "shop", "amount": 10}]'')', buyer)) $$;

CREATE FUNCTION iso.groups() RETURNS TABLE (status text, participants bigint, unsettled bigint) LANGUAGE sql AS
$$ SELECT g.status, g.participants, g.unsettled FROM wallet_ledger.group_buys g
   WHERE g.ledger = current_setting('wallet_ledger.ledger') $$;
