{#- The local days of which an incremental model no longer agrees with what it is made of.

    Days are compared by their marks (columns that change whenever a row does) and the number of rows with each.
    No watermark is kept: a backfill that arrives late, a row that a rewrite of history removed, a queue that was
    renamed and another time zone all change a day, in whatever order they are loaded. -#}
{% macro changed_days(relation, existing, marks, existing_rows='count(*)') %}
  select local_day
  from (
    select {{ marks }}, sum(number_of_rows) as difference
    from (
      select {{ marks }}, count(*) as number_of_rows
      from {{ relation }}
      group by {{ marks }}
      union all
      select {{ marks }}, -{{ existing_rows }} as number_of_rows
      from {{ existing }}
      group by {{ marks }}
    ) as both_sides
    group by {{ marks }}
  ) as differences
  where difference <> 0
  group by local_day
{% endmacro %}

{#- The days that an incremental model has to write: those that it does not have, because they are new or because
    the hook before has deleted them. A run that was killed in between is made up for by the next one. -#}
{% macro absent_days(existing) %}
  local_day not in (select local_day from {{ existing }} group by local_day)
{% endmacro %}
