"""A zone name that PostgreSQL does not know must not break a statement over all customers."""

from django.db import migrations

CREATE = """
CREATE FUNCTION public.f_zone(zone text, otherwise text) RETURNS text LANGUAGE plpgsql STABLE STRICT PARALLEL SAFE AS $$
BEGIN
  PERFORM timezone(zone, now());
  RETURN zone;
EXCEPTION WHEN invalid_parameter_value THEN
  RETURN otherwise;
END $$;
COMMENT ON FUNCTION public.f_zone(text, text) IS 'The zone if it is one, else the other.';
"""


class Migration(migrations.Migration):
    dependencies = [("crm", "0003_search_by_beginnings")]
    operations = [migrations.RunSQL(CREATE, "DROP FUNCTION public.f_zone(text, text);")]
