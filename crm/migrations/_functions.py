"""Functions that indexes and generated columns use. Their names carry the schema: PostgreSQL builds indexes with a
bare search_path from version 17 on."""

FOLD = """
CREATE FUNCTION public.f_fold(t text) RETURNS text LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $$
  SELECT replace(replace(replace(
    replace(replace(translate(lower(t),
      'ÄÖÜÉÈÊËÁÀÂÃÅÓÒÔÕØÍÌÎÏÚÙÛÇÑŠŽŁĞİŞČĆÝäöüéèêëáàâãåóòôõøíìîïúùûçñšžłğışčćý',
      'aoueeeeaaaaaoooooiiiiuuucnszlgisccyaoueeeeaaaaaoooooiiiiuuucnszlgisccy'),
      'ß', 'ss'), 'ẞ', 'ss'),
    'ae', 'a'), 'oe', 'o'), 'ue', 'u') $$;
COMMENT ON FUNCTION public.f_fold(text) IS 'Lower case without accents; Müller, Mueller and Muller are one.';

CREATE FUNCTION public.f_grams(t text) RETURNS text[] LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $$
  SELECT array(SELECT DISTINCT substr(x, i, 3)
    FROM (SELECT ' ' || public.f_fold(t) || ' ' x) q, generate_series(1, length(public.f_fold(t))) i) $$;

CREATE FUNCTION public.f_sort_key(family_name text, given_name text, company_name text) RETURNS text
  LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
  -- Whoever has no name yet stands behind everybody: the last character there is.
  SELECT coalesce(nullif(public.f_fold(trim(both from whole)), ''), chr(1114109)) FROM (
    SELECT coalesce(nullif(family_name, '') || ' ', '') || coalesce(nullif(given_name, '') || ' ', '')
      || coalesce(company_name, '') AS whole) names $$;

CREATE FUNCTION public.f_append_only() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  RAISE EXCEPTION 'table % is append-only', TG_TABLE_NAME USING ERRCODE = 'insufficient_privilege';
END $$;
"""
DROP = """
DROP FUNCTION public.f_append_only();
DROP FUNCTION public.f_sort_key(text, text, text);
DROP FUNCTION public.f_grams(text);
DROP FUNCTION public.f_fold(text);
"""

