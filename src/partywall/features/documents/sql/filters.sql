-- The values in the metadata of documents, which narrow down the documents that a filter has to look at.

-- The instant that a JSON string stands for, if it is one: a date, or a date and a time, in UTC unless it has an offset.
CREATE OR REPLACE FUNCTION wall.instant_of(value jsonb) RETURNS timestamptz
    LANGUAGE plpgsql STABLE PARALLEL SAFE SET search_path = pg_catalog
AS $$
DECLARE
    shown text := value #>> '{}';
    found timestamptz;
BEGIN
    IF jsonb_typeof(value) IS DISTINCT FROM 'string' OR length(shown) NOT BETWEEN 10 AND 40
            OR shown !~ '^\d{4}-\d\d-\d\d([Tt ]\d\d:\d\d(:\d\d(\.\d+)?)?([Zz]|[+-]\d\d:?\d\d)?)?$' THEN
        RETURN NULL;
    END IF;
    IF length(shown) = 10 OR shown !~ '[Zz]$|[:.]\d+[+-]\d\d:?\d\d$' THEN
        shown := shown || '+00';
    END IF;
    IF NOT pg_input_is_valid(shown, 'timestamptz') THEN
        RETURN NULL;
    END IF;
    found := CAST(shown AS timestamptz);
    RETURN CASE WHEN found BETWEEN '0001-01-01+00' AND '9999-12-31 23:59:59.999999+00' THEN found END;
END
$$;

-- The names and values in a document's metadata, cut to a length. A value begins with its type: `s` a string, `t` the
-- instant that the string stands for, `n` a number, `b` true or false, `o` an object, `a` a list. Numbers and instants
-- are written so that their order is that of the texts. The items of a list have its name, and an `i` before their type.
CREATE OR REPLACE FUNCTION wall.metadata_values(metadata jsonb) RETURNS TABLE (name text, value text)
    LANGUAGE sql STABLE SET search_path = pg_catalog
AS $$
    WITH RECURSIVE part (name, value) AS (
        SELECT left(member.key, 200), member.value FROM jsonb_each(metadata) AS member
        UNION ALL
        SELECT left(part.name || '.' || member.key, 200), member.value FROM part CROSS JOIN LATERAL jsonb_each(
            CASE WHEN jsonb_typeof(part.value) = 'object' THEN part.value ELSE '{}' END
        ) AS member
    ), typed (name, item, value) AS (
        SELECT part.name, '', part.value FROM part
        UNION ALL
        SELECT part.name, 'i', item.value FROM part CROSS JOIN LATERAL jsonb_array_elements(
            CASE WHEN jsonb_typeof(part.value) = 'array' THEN part.value ELSE '[]' END
        ) AS item
    )
    SELECT DISTINCT typed.name, typed.item || shown.value FROM typed CROSS JOIN LATERAL (
        SELECT CASE jsonb_typeof(typed.value)
            WHEN 'string' THEN 's' || left(typed.value #>> '{}', 100)
            WHEN 'number' THEN wall.number_key(CAST(typed.value AS float8))
            WHEN 'boolean' THEN 'b' || (typed.value #>> '{}')
            WHEN 'object' THEN 'o'
            WHEN 'array' THEN 'a'
        END AS value
        UNION ALL
        SELECT to_char(wall.instant_of(typed.value) AT TIME ZONE 'UTC', '"t"YYYY-MM-DD"T"HH24:MI:SS.US')
        WHERE typed.item = ''
    ) AS shown WHERE shown.value IS NOT NULL
$$;

-- A number as text with the order of the numbers.
CREATE OR REPLACE FUNCTION wall.number_key(number float8) RETURNS text
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
AS $$
    SELECT CASE WHEN number < 0 THEN 'nm' || translate(encode(float8send(number), 'hex'), '0123456789abcdef',
        'fedcba9876543210') ELSE 'np' || encode(float8send(number), 'hex') END
$$;

-- Keeps `document_value` in step with the metadata. A document with too many values has one row without a name, and
-- every filter looks at it.
CREATE OR REPLACE FUNCTION wall.keep_metadata_values() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog
AS $$
DECLARE
    most CONSTANT integer := 200;
    written bigint;
BEGIN
    IF TG_OP = 'UPDATE' THEN
        DELETE FROM public.document_value AS v WHERE v.project_id = NEW.project_id AND v.document_id = NEW.id;
    END IF;
    INSERT INTO public.document_value (project_id, document_id, name, value)
    SELECT NEW.project_id, NEW.id, given.name, given.value FROM wall.metadata_values(NEW.metadata) AS given
    LIMIT most + 1;
    GET DIAGNOSTICS written = ROW_COUNT;
    IF written > most THEN
        DELETE FROM public.document_value AS v WHERE v.project_id = NEW.project_id AND v.document_id = NEW.id;
        INSERT INTO public.document_value (project_id, document_id, name, value) VALUES (NEW.project_id, NEW.id, '', '');
    END IF;
    RETURN NULL;
END
$$;
CREATE OR REPLACE TRIGGER document_metadata_given AFTER INSERT ON document
    FOR EACH ROW WHEN (NEW.metadata <> '{}') EXECUTE FUNCTION wall.keep_metadata_values();
CREATE OR REPLACE TRIGGER document_metadata_changed AFTER UPDATE OF metadata ON document
    FOR EACH ROW WHEN (NEW.metadata <> OLD.metadata) EXECUTE FUNCTION wall.keep_metadata_values();

GRANT EXECUTE ON FUNCTION wall.instant_of TO :runtime_role;
