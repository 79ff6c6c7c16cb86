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
