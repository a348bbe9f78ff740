from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('campaigns', '0008_surprises'),
    ]

    operations = [
        migrations.AddField(
            model_name='segment',
            name='counted',
            field=models.PositiveIntegerField(blank=True, help_text='Customers it meant at `counted_at`.', null=True),
        ),
        migrations.AddField(
            model_name='segment',
            name='counted_exactly',
            field=models.BooleanField(db_default=True, default=True, help_text='Counted and not estimated.'),
        ),
        migrations.AddField(
            model_name='segment',
            name='counted_at',
            field=models.DateTimeField(blank=True, null=True),
        ),
    ]
